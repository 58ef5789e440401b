"""What a person reads and confirms before the camera opens: consent, and the statement of intent.

Both are rendered here from structured fields, never from free text of a client, in Chinese and English; their SHA-256
goes into the consent record, the verification, the token and the receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from verify.actions import ACTIONS, ROLES
from verify.casefile import Case, Language, Subject

CONSENT_VERSION = "2026-11"

_CONSENT: Mapping[Language, str] = {
    "zh": (
        "我同意:为办理本次登记事项,本系统使用摄像头采集我的面部影像,与我的身份证件照片比对,以核验是本人且在场。"
        "影像仅在核验过程中使用,不予保存;由证件照片生成的面部特征加密保存,到期删除。"
        "我可以拒绝,并到登记窗口以其他方式办理。"
    ),
    "en": (
        "I agree that, for this filing, my face is captured by camera and compared with the photo of my ID, to "
        "verify that it is me and that I am present. The pictures are used during the verification only and are not "
        "kept; the template made from the ID photo is kept encrypted and erased when its time is over. I may decline "
        "and go to the registration window instead."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One text in both languages."""

    version: str
    zh: str
    en: str

    def sha256(self, language: Language) -> str:
        """Hexadecimal SHA-256 of the text's UTF-8 in one language."""
        return sha256((self.zh if language == "zh" else self.en).encode()).hexdigest()


CONSENT = Statement(version=CONSENT_VERSION, zh=_CONSENT["zh"], en=_CONSENT["en"])


def intent_statement(case: Case, subject: Subject) -> Statement:
    """What the person says by verifying: which role, which action, which document."""
    action, role = ACTIONS[case.action], ROLES[subject.role]
    document = case.document_sha256
    return Statement(
        version=CONSENT_VERSION,
        zh=f"我以{role[0]}身份,就“{action.zh}”事项(文件摘要 {document})确认本人真实意愿,并同意提交登记。",
        en=(
            f"As {role[1]} I confirm my true intention to {action.en} (document digest {document}) and agree to its "
            "filing."
        ),
    )


def intent_sha256(case: Case, subject: Subject) -> str:
    """One hash over both languages: which one was read does not change what was meant."""
    statement = intent_statement(case, subject)
    return sha256(f"{statement.zh}\n{statement.en}".encode()).hexdigest()
