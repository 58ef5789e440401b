"""What `verify` refuses, and why. Each error has a stable short `code`; its message says how to mend it.

VerifyError
├── NotFound            there is no such thing, or not for this caller
├── Invalid             what was sent cannot be used as it is
├── Refused             understood, and not allowed
├── Conflict            it does not fit the present state
├── Gone                it was good once
├── Limited             too often: `retry_after` seconds
└── Unavailable         nothing was issued, and it is safe to repeat: after `retry_after` seconds
    ├── KeyDamaged
    ├── CaseDamaged
    ├── StoreUnavailable
    │   ├── StoreUnreachable      for its operator: which setting leads nowhere
    │   └── StoreSchemaMismatch   not before it is mended
    └── StoreBusy
"""

# ruff: noqa: N818  (the families are named for what happened, as in the drawing above)


class VerifyError(Exception):
    """Root of the tree."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def for_operators(self) -> str:
        """The message, and what only they may know."""
        return str(self)


class NotFound(VerifyError):
    """`case_unknown`, `subject_unknown`, `invite_unknown`, `session_unknown`, `receipt_unknown`, `key_unknown`,
    `appointment_unknown`, `webhook_unknown`, `notice_unknown`, `officer_unknown`, `operator_unknown`,
    `checkpoint_unknown`, `dispute_unknown`, `proposal_unknown`, `data_missing`."""


class Invalid(VerifyError):
    """`action_unknown`, `action_invalid`, `roster_invalid`, `rule_invalid`, `rule_too_weak`, `required_role_missing`,
    `passport_state_missing`,
    `minimum_rules_invalid`, `deadline_invalid`, `text_invalid`, `amount_invalid`, `share_invalid`,
    `credit_code_invalid`, `appointment_invalid`, `reference_missing`, `reference_provenance_insufficient`,
    `id_document_type_unknown`, `id_document_invalid`, `client_name_invalid`, `scope_unknown`, `consent_mismatch`,
    `reference_unusable`, `authority_not_configured`, `token_invalid`, `receipt_invalid`, `receipt_incomplete`,
    `receipt_of_test_mode`,
    `checkpoint_invalid`, `archive_invalid`, `officer_name_invalid`, `operator_name_invalid`, `operator_role_unknown`,
    `idempotency_key_invalid`, `event_unknown`,
    `cursor_invalid`, `device_invalid`, `test_subject_unknown`, `notice_type_unknown`, `webhook_url_invalid`,
    `webhook_url_refused`, `contact_invalid`, `channel_not_configured`, `reason_invalid`, `return_origin_invalid`,
    `return_url_refused`, `photos_too_many_pixels`, `grant_secret_invalid`, `jwks_invalid`."""


class Refused(VerifyError):
    """`api_key_invalid`, `operator_key_invalid`, `identity_mismatch`, `grant_invalid`, `session_secret_invalid`,
    `consent_required`, `deputy_not_appointed`, `token_wrong_audience`, `rule_not_met`, `test_mode_only`,
    `proposal_own`, `proposal_orphaned`,
    `restated_field_mismatch` (then `fields` names what did not match)."""

    def __init__(self, code: str, message: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(code, message)
        self.fields = fields


class Conflict(VerifyError):
    """`action_exists`, `actions_exhausted`, `case_not_open`, `already_redeemed`, `already_verified`, `not_verified`,
    `invite_used`, `session_already_claimed`, `session_not_claimed`, `idempotency_key_reused`, `webhook_limit`,
    `policy_already_proposed`, `policy_already_in_force`, `proposal_decided`, `reference_contract_mismatch`,
    `store_readers_older`, `store_in_use`, `key_change_already_proposed`,
    `token_already_redeemed` (then `receipt_id` is given to the client whose redemption it was; `receipt_ids` too if a
    whole case's tokens are repeated, in their order).
    """

    def __init__(
        self, code: str, message: str, *, receipt_id: str | None = None, receipt_ids: tuple[str, ...] = ()
    ) -> None:
        super().__init__(code, message)
        self.receipt_id = receipt_id
        self.receipt_ids = receipt_ids


class Gone(VerifyError):
    """`invite_expired`, `invite_revoked`, `reference_gone`, `attempts_exhausted`, `session_expired`,
    `verification_expired`, `verification_revoked`, `token_expired`, `token_cancelled`, `content_erased`,
    `dispute_expired`."""


class Limited(VerifyError):
    """`attempts_too_fast`, `contact_limited`, `keys_too_fast`: asked too often; repeat after `retry_after` seconds."""

    def __init__(self, code: str, message: str, *, retry_after: float) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Unavailable(VerifyError):
    """The service cannot answer now; repeat after `retry_after` seconds. `key_damaged`, `keys_foreign`,
    `checkpoint_damaged`, `case_damaged` and `key_history_invalid` need the operator first, `reference_delayed` an
    authority; `store_busy` and `token_not_yet_valid` pass by themselves."""

    def __init__(self, code: str, message: str, *, retry_after: float = 2.0, advice: str = "") -> None:
        """`advice`: what is to be mended, and where on this machine: for operators alone."""
        super().__init__(code, message)
        self.retry_after = retry_after
        self._advice = advice

    @property
    def for_operators(self) -> str:
        """As `VerifyError.for_operators`."""
        return self._advice or str(self)


class KeyDamaged(Unavailable):
    """`key_damaged`: keys cannot be read. Clients learn no more than that."""

    def __init__(self, advice: str) -> None:
        message = "the service cannot read its keys, nothing was issued: its operator should run heyan doctor"
        super().__init__("key_damaged", message, advice=advice)


class CaseDamaged(Unavailable):
    """`case_damaged`: the record of a case cannot be read. Everything about this case waits for the operator."""

    def __init__(self) -> None:
        message = "the record of this case cannot be read: the operator should run `heyan audit verify`"
        super().__init__("case_damaged", message, retry_after=60.0)


class StoreUnavailable(Unavailable):
    """`store_unavailable`: no answer, or none that was confirmed on disk. Safe to repeat."""

    def __init__(self, detail: str = "it does not answer", *, retry_after: float = 2.0) -> None:
        message = f"the store is not available ({detail}); nothing was issued, repeat the request"
        super().__init__("store_unavailable", message, retry_after=retry_after)


class StoreUnreachable(StoreUnavailable):
    """`store_unavailable`, told to the operator, who can mend it: what is wrong with the address or the password."""

    def __init__(self, message: str) -> None:
        Unavailable.__init__(self, "store_unavailable", message)


class StoreSchemaMismatch(StoreUnavailable):
    """`store_schema_newer`, `store_schema_older`: the store holds what this version of the service cannot read."""

    def __init__(self, code: str, message: str) -> None:
        Unavailable.__init__(self, code, message, retry_after=60.0)


class StoreBusy(Unavailable):
    """`store_busy`: others kept changing the same case."""

    def __init__(self) -> None:
        super().__init__("store_busy", "the case is being changed by many at once; repeat the request", retry_after=1.0)
