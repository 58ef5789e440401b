import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.audit import GENESIS, AuditChainBrokenError, Event, link, verify_chain

NAMES = st.sampled_from(["case.opened", "invite.issued", "token.redeemed"])
CHAINS = st.lists(NAMES, min_size=2, max_size=12)


def chain(names: list[str]) -> tuple[list[bytes], str]:
    head, contents = GENESIS, []
    for seq, name in enumerate(names):
        event = Event(name=name, actor="service", details={"fields": ("a", "b"), "id": "x"})
        entry = link(event, seq=seq, at=float(seq), head=head, nonce=f"{seq:024x}")
        contents.append(entry.content)
        head = entry.head
    return contents, head


@given(CHAINS)
def test_a_whole_chain_is_read_back(names: list[str]) -> None:
    contents, head = chain(names)
    assert [entry.event for entry in verify_chain(contents, expected_head=head)] == names


@given(CHAINS, st.data())
def test_any_change_is_found(names: list[str], data: st.DataObject) -> None:
    contents, head = chain(names)
    place = data.draw(st.integers(0, len(contents) - 1))
    kind = data.draw(st.sampled_from(["change", "remove", "swap", "cut"]))
    if kind == "change":
        contents[place] = contents[place].replace(b'"service"', b'"nobody!"')
    elif kind == "remove":
        del contents[place]
    elif kind == "swap":
        other = (place + 1) % len(contents)
        contents[place], contents[other] = contents[other], contents[place]
    else:
        contents = contents[:-1]
    with pytest.raises(AuditChainBrokenError) as caught:
        verify_chain(contents, expected_head=head)
    assert caught.value.code == "audit_chain_broken"


def test_an_entry_that_is_no_entry_is_found() -> None:
    with pytest.raises(AuditChainBrokenError, match="entry 0"):
        verify_chain([b"{}"], expected_head=GENESIS)
