# syntax=docker/dockerfile:1
# heyan in a container: runs what `make run` runs. docs/deploy.md says how to use it.
#
#   docker build -t heyan .
#   docker build -t heyan:cuda --build-arg VARIANT=cuda .
#   make sbom audit    what is in it, as build/sbom.cdx.json, and what is known against it
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8420:8420 -v heyan-data:/data \
#     -e HEYAN_PUBLIC_URL=http://localhost:8420 heyan
#
# It listens on every address of the container, so that only HEYAN_PUBLIC_URL can say where links are to lead.

ARG PYTHON=3.12
ARG BASE=python:${PYTHON}-slim

FROM ${BASE} AS build
# cpu, or cuda: onnxruntime-gpu with CUDA and cuDNN in place of onnxruntime (CPython 3.12, x86_64).
ARG VARIANT=cpu
# prepared: fetched by hash, compiled and checked here, so that a container starts without a network; mounted: the image has
# none, and /data/models comes from where `heyan models prepare` has run.
ARG WEIGHTS=prepared
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/heyan && install -d /opt/heyan/lib/cuda
# Dependencies first, in a layer of their own: they change less often than the code.
COPY requirements.lock deploy/requirements-cuda.txt ./
RUN /opt/heyan/bin/python -m pip install --no-deps --require-hashes --only-binary :all: -r requirements.lock
# The loader finds CUDA's libraries in one directory; the cpu variant's is empty.
RUN case "$VARIANT" in \
      cpu) ;; \
      cuda) /opt/heyan/bin/python -m pip uninstall --yes onnxruntime \
         && /opt/heyan/bin/python -m pip install --no-deps --require-hashes --only-binary :all: -r requirements-cuda.txt \
         && find /opt/heyan/lib -path '*/nvidia/*' -name '*.so*' -exec ln -s -t /opt/heyan/lib/cuda {} + ;; \
      *) echo "VARIANT is cpu or cuda, not $VARIANT" >&2; exit 1 ;; \
    esac
# The build backend stays outside of the environment that is shipped.
RUN python -m pip install "hatchling>=1.27"
COPY . .
RUN python -m hatchling build -t wheel -d dist && /opt/heyan/bin/python -m pip install --no-deps --no-index dist/heyan-*.whl
ENV HEYAN_DATA_DIR=/weights
RUN install -d /weights/models && case "$WEIGHTS" in \
      prepared) /opt/heyan/bin/heyan models prepare ;; \
      mounted) ;; \
      *) echo "WEIGHTS is prepared or mounted, not $WEIGHTS" >&2; exit 1 ;; \
    esac

FROM ${BASE}
LABEL org.opencontainers.image.title="heyan" \
      org.opencontainers.image.description="Self-hosted remote identity verification" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 heyan \
 && useradd --system --uid 10001 --gid heyan --no-create-home --shell /usr/sbin/nologin heyan \
 && install -d -o heyan -g heyan -m 0700 /data /data/keys
COPY --from=build /opt/heyan /opt/heyan
# A new named volume starts as a copy of this directory, with its owner.
COPY --from=build --chown=10001:10001 /weights/models /data/models
ENV PATH=/opt/heyan/bin:$PATH \
    LD_LIBRARY_PATH=/opt/heyan/lib/cuda \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEYAN_DATA_DIR=/data \
    HEYAN_HOST=0.0.0.0
# By number: Kubernetes' runAsNonRoot cannot judge a name. Only /data and /tmp are written to.
USER 10001:10001
VOLUME /data
EXPOSE 8420
# SIGTERM drains live sessions for up to 60 seconds: give `docker stop` a longer timeout.
STOPSIGNAL SIGTERM
# Follows HEYAN_HOST, HEYAN_PORT and HEYAN_TLS, but no options of the command.
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-m", "api.health_check"]
ENTRYPOINT ["heyan"]
CMD ["serve"]
