"""Reference photos are warned of by lines kept as data; a warning refuses nothing and is kept with the subject."""

import cv2
import numpy as np
import pytest
from registry_office import BLURRED, Office, person, photo

from models.embedding import cosine
from models.engine import Engine
from models.errors import FaceError
from models.face_quality.assessment import MEASURES, Component
from models.image import Frame, decode_image
from verify.casefile import ReferenceState
from verify.enrolment import anonymous
from verify.reference_quality import (
    QualityLine,
    QualityLines,
    QualityStatus,
    judge,
    make_reference,
    quality_lines,
    warnings_of,
)

LINES = QualityLines(version="test", components={"sharpness": QualityLine(least=20, advice="mend it")})


def component(name: str, score: float | None) -> Component:
    return Component(name=name, unit="", raw=score, score=score)


@pytest.mark.parametrize(
    ("name", "score", "status"),
    [
        ("sharpness", 19.999, QualityStatus.WARNING),
        ("sharpness", 20.0, QualityStatus.GOOD),
        ("sharpness", None, QualityStatus.NOT_ASSESSED),
        ("head_size", 0.0, QualityStatus.NOT_JUDGED),
    ],
)
def test_a_score_is_judged_by_its_line(name: str, score: float | None, status: QualityStatus) -> None:
    (judged,) = judge([component(name, score)], LINES)
    assert judged.status is status
    assert judged.advice == ("mend it" if status is QualityStatus.WARNING else None)
    assert warnings_of([component(name, score)], LINES) == ((name,) if status is QualityStatus.WARNING else ())


def test_the_shipped_lines_are_of_components_and_say_what_to_do() -> None:
    lines = quality_lines()
    assert set(lines.components) <= set(MEASURES)
    assert set(MEASURES) - set(lines.components) == {
        "luminance_mean",
        "luminance_variance",
        "head_size",
        "background_uniformity",
    }
    assert all(line.advice.count(":") == 1 for line in lines.components.values())


def test_credited_portraits_have_no_warning_but_for_a_small_one(portraits: dict[str, bytes], engine: Engine) -> None:
    found = {name: make_reference(decode_image(each), engine, quality_lines()) for name, each in portraits.items()}
    assert {name: each.warnings for name, each in found.items() if each.warnings} == {
        "person_a_1": ("inter_eye_distance",)
    }


def test_what_is_wrong_is_warned_of_and_the_template_is_the_same_as_ever(
    portraits: dict[str, bytes], engine: Engine
) -> None:
    frame = decode_image(portraits["person_b_1"])
    blurred = Frame(np.asarray(cv2.GaussianBlur(frame.pixels, (0, 0), 6), np.uint8))
    reference = make_reference(blurred, engine, quality_lines())
    assert reference.warnings == ("sharpness",)
    assert cosine(reference.template, engine.reference(blurred)) == pytest.approx(1.0, abs=1e-6)


def test_a_photo_without_a_face_is_refused_as_before(engine: Engine) -> None:
    with pytest.raises(FaceError, match="no face was found"):
        make_reference(Frame(np.full((300, 300, 3), 90, np.uint8)), engine, quality_lines())


async def test_warnings_are_kept_until_another_photo_comes_or_the_person_is_erased(office: Office) -> None:
    file, (subject,) = await office.case(subjects=(person(photo=photo(BLURRED)),))
    assert (await office.file(file.case.id)).subjects[subject].reference_warnings == ()
    await office.agree(await office.invite(file, subject))
    warned = (await office.file(file.case.id)).subjects[subject]
    assert (warned.reference_state, warned.reference_warnings) == (ReferenceState.TEMPLATE, ("sharpness",))
    assert anonymous(warned).reference_warnings == ()
    await office.amendments.replace(office.client, file.case.id, subject, person())
    assert (await office.file(file.case.id)).subjects[subject].reference_warnings == ()
