"""The manifests fit together, and the service: names, ports, paths of probes, settings, secrets, metrics."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from running_service import RunningApi

from api.metrics import Metrics
from api.settings import PREFIX, Settings

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
NOWHERE = "nowhere"
"""The service without pods, to which paths lead that are not for the public."""

Manifest = dict[str, Any]


def read(pattern: str) -> list[Manifest]:
    texts = [path.read_text("utf-8") for path in sorted(FOLDER.glob(pattern))]
    return [each for text in texts for each in yaml.safe_load_all(text)]


MANIFESTS = read("*.yaml")
TEMPLATES = {each["metadata"]["name"]: each for each in read("*.template")}
WORKLOADS = [each for each in MANIFESTS if each["kind"] in {"Deployment", "StatefulSet"}]


def of_kind(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


def pod(workload: Manifest) -> Manifest:
    return workload["spec"]["template"]["spec"]


def container(workload: Manifest) -> Manifest:
    (only,) = pod(workload)["containers"]
    return only


def labels(workload: Manifest) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def ports(workload: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container(workload)["ports"]}


def selected(selector: dict[str, str]) -> list[Manifest]:
    return [each for each in WORKLOADS if selector.items() <= labels(each).items()]


HEYAN, VALKEY = of_kind("Deployment")["heyan"], of_kind("StatefulSet")["valkey"]
ENVIRONMENT = {each["name"]: each["value"] for each in container(HEYAN)["env"]}


def test_each_manifest_has_a_kind_and_a_name_of_its_own_in_the_namespace() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in MANIFESTS]
    assert len(names) == len(set(names))
    outside = [each["kind"] for each in MANIFESTS if each["metadata"].get("namespace") != "heyan"]
    assert outside == ["Namespace"]
    assert {each["apiVersion"] for each in MANIFESTS} == {
        "v1",
        "apps/v1",
        "policy/v1",
        "autoscaling/v2",
        "networking.k8s.io/v1",
    }


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_a_pod_is_confined(workload: Manifest) -> None:
    spec, box = pod(workload), container(workload)
    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"] > 0) == (True, True)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert box["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= box["resources"]["requests"].keys()
    assert "memory" in box["resources"]["limits"]
    assert re.search(r":[\w.-]*\d[\w.-]*$", box["image"])
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels(workload).items()


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_mounts_lead_to_volumes_and_volumes_to_claims_and_secrets(workload: Manifest) -> None:
    volumes = {each["name"]: each for each in pod(workload)["volumes"]}
    claimed = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in container(workload)["volumeMounts"]} == volumes.keys() | claimed
    for volume in volumes.values():
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in of_kind("PersistentVolumeClaim")
        if "secret" in volume:
            assert volume["secret"]["secretName"] in TEMPLATES


def test_the_container_is_the_images(image_text: str) -> None:
    context = pod(HEYAN)["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in image_text
    assert f"EXPOSE {ports(HEYAN)['http']}" in image_text
    assert ports(HEYAN)["http"] == Settings.model_fields["port"].default
    assert f'CMD ["{container(HEYAN)["args"][0]}"]' in image_text
    mounted = {mount["mountPath"] for mount in container(HEYAN)["volumeMounts"]}
    assert {"/data/keys", "/tmp"} <= mounted  # noqa: S108
    assert "/data" not in mounted, "it would hide the weights of the image"


@pytest.fixture
def image_text() -> str:
    return (FOLDER.parents[1] / "Dockerfile").read_text("utf-8")


async def test_probes_ask_for_what_the_service_answers(api: RunningApi) -> None:
    probes = {name: container(HEYAN)[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    for name, probe in probes.items():
        assert (await api.http.get(probe["path"])).status_code == 200, name
        assert probe["port"] in ports(HEYAN)
    api.services.live.admission.draining = True
    assert (await api.http.get(probes["livenessProbe"]["path"])).status_code == 200, "it would kill live sessions"
    assert (await api.http.get(probes["readinessProbe"]["path"])).status_code == 503
    scraped = HEYAN["spec"]["template"]["metadata"]["annotations"]
    assert (await api.http.get(scraped["prometheus.io/path"])).status_code == 200
    assert int(scraped["prometheus.io/port"]) == ports(HEYAN)["http"]


def test_settings_exist_and_can_be_used_and_no_others_come_from_the_cluster(tmp_path: Path) -> None:
    values = {name.removeprefix(PREFIX).lower(): value for name, value in ENVIRONMENT.items()}
    assert values.keys() <= Settings.model_fields.keys()
    settings = Settings(**{**values, "data_dir": tmp_path})
    assert pod(HEYAN)["terminationGracePeriodSeconds"] > settings.drain_seconds
    assert pod(HEYAN)["enableServiceLinks"] is False  # a service named heyan would set HEYAN_PORT to tcp://…
    assert {rule["host"] for each in of_kind("Ingress").values() for rule in each["spec"]["rules"]} == {
        str(settings.public_url).removeprefix("https://")
    }


def test_files_of_settings_are_keys_of_mounted_secrets() -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in container(HEYAN)["volumeMounts"]}
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod(HEYAN)["volumes"] if "secret" in each}
    for name in ("HEYAN_STORE_PASSWORD", "HEYAN_AUDITOR_KEY"):
        folder, _, key = ENVIRONMENT[name].rpartition("/")
        assert key in TEMPLATES[secrets[mounts[folder]]]["data"], name


def test_the_store_is_the_address_of_the_settings_and_durable() -> None:
    assert ENVIRONMENT["HEYAN_STORE_URL"] == "redis://valkey:6379/0"
    assert VALKEY["spec"]["serviceName"] in of_kind("Service")
    assert ports(VALKEY) == {"valkey": 6379}
    assert "appendfsync always" in container(VALKEY)["args"][0]


def backends() -> Iterator[tuple[str, str]]:
    for ingress in of_kind("Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield service["name"], service["port"]["name"]


def test_ways_in_lead_to_services_and_services_to_pods() -> None:
    for name, service in of_kind("Service").items():
        chosen = selected(service["spec"]["selector"])
        assert len(chosen) == (0 if name == NOWHERE else 1), name
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in ports(each) for each in chosen), name
    for name, port in backends():
        assert port in {each["name"] for each in of_kind("Service")[name]["spec"]["ports"]}, name
    for ingress in of_kind("Ingress").values():
        assert {each["secretName"] for each in ingress["spec"]["tls"]} <= TEMPLATES.keys()


async def test_paths_of_the_ingress_are_the_services(api: RunningApi) -> None:
    paths = {
        path["path"]: path["backend"]["service"]["name"]
        for ingress in of_kind("Ingress").values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    (closed,) = [path for path, service in paths.items() if service == NOWHERE]
    (stream,) = [path for path, service in paths.items() if service == "heyan-streams"]
    assert all(re.match(closed, path) for path in ("/metrics", "/readyz", "/ops", "/ops/live"))
    openapi = (await api.http.get("/openapi.json")).json()["paths"]
    assert [path for path in openapi if path.startswith("/v1") and re.match(closed, path)] == []
    assert re.fullmatch(stream, "/v1/sessions/ses_a/stream")
    assert {"/metrics", "/readyz"} <= openapi.keys()


def test_budget_and_scaler_are_of_the_deployment_and_of_a_metric_that_exists() -> None:
    budget, scaler = of_kind("PodDisruptionBudget")["heyan"], of_kind("HorizontalPodAutoscaler")["heyan"]
    assert selected(budget["spec"]["selector"]["matchLabels"]) == [HEYAN]
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", HEYAN["metadata"]["name"])
    assert scaler["spec"]["minReplicas"] > budget["spec"]["minAvailable"]
    assert "replicas" not in HEYAN["spec"]
    (metric,) = [each["pods"] for each in scaler["spec"]["metrics"]]
    gauges = {each._name for each in vars(Metrics()).values() if isinstance(each, MetricWrapperBase)}
    assert metric["metric"]["name"] in gauges
    assert int(metric["target"]["averageValue"]) < int(ENVIRONMENT["HEYAN_LIVE_SESSIONS"])


def test_policies_close_everything_and_open_ports_that_exist() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        if name == "nothing":
            continue
        (workload,) = selected(policy["spec"]["podSelector"]["matchLabels"])
        for rule in policy["spec"]["ingress"]:
            assert {port["port"] for port in rule["ports"]} <= ports(workload).keys()
            assert rule["from"], "an empty list lets everybody in"
        for rule in policy["spec"].get("egress", ()):
            for peer in rule["to"]:
                if "podSelector" in peer:
                    (other,) = selected(peer["podSelector"]["matchLabels"])
                    assert {port["port"] for port in rule["ports"]} <= ports(other).keys()


def test_templates_hold_no_secret() -> None:
    assert TEMPLATES.keys() == {"heyan-store", "heyan-auditor", "heyan-tls"}
    assert [value for each in TEMPLATES.values() for value in each["data"].values() if value] == []
    assert of_kind("Secret") == {}
