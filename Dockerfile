# syntax=docker/dockerfile:1
# heyan in a container: runs what `make run` runs.
#
#   docker build -t heyan .
#   docker run --rm -p 8420:8420 -v heyan-data:/data heyan

ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/heyan
# Dependencies first, in a layer of their own: they change less often than the code.
COPY requirements.lock .
RUN /opt/heyan/bin/python -m pip install --no-deps --require-hashes --only-binary :all: -r requirements.lock
# The build backend stays outside of the environment that is shipped.
RUN python -m pip install "hatchling>=1.27"
COPY . .
RUN python -m hatchling build -t wheel -d dist && /opt/heyan/bin/python -m pip install --no-deps --no-index dist/heyan-*.whl
# Weights are fetched by hash, compiled and checked here, so that a container starts without a network.
ENV HEYAN_DATA_DIR=/weights
RUN /opt/heyan/bin/heyan models prepare

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="heyan" \
      org.opencontainers.image.description="Self-hosted remote identity verification" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 heyan \
 && useradd --system --uid 10001 --gid heyan --no-create-home --shell /usr/sbin/nologin heyan \
 && install -d -o heyan -g heyan -m 0700 /data
COPY --from=build /opt/heyan /opt/heyan
# A new named volume starts as a copy of this directory, with its owner.
COPY --from=build --chown=heyan:heyan /weights/models /data/models
ENV PATH=/opt/heyan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEYAN_DATA_DIR=/data \
    HEYAN_HOST=0.0.0.0
USER heyan
VOLUME /data
EXPOSE 8420
# SIGTERM drains live sessions for up to 60 seconds: give `docker stop` a longer timeout.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8420/healthz', timeout=2).read()"]
ENTRYPOINT ["heyan"]
CMD ["serve"]
