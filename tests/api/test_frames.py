import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.frames import HEADER, CaptureFrame, FrameError, pack_frame, parse_frame

U32 = st.integers(min_value=0, max_value=2**32 - 1)
NONCES = st.one_of(st.just(""), st.text("0123456789abcdef", min_size=8, max_size=8))


@given(nonce=NONCES, seq=U32, client_ms=U32, jpeg=st.binary(min_size=1, max_size=64))
def test_frame_survives_the_wire(nonce: str, seq: int, client_ms: int, jpeg: bytes) -> None:
    frame = CaptureFrame(nonce=nonce, seq=seq, client_ms=client_ms, jpeg=jpeg)
    assert parse_frame(pack_frame(frame), max_bytes=1000) == frame


def test_header_layout_is_as_documented() -> None:
    message = b"deadbeef" + (7).to_bytes(4, "big") + (1234).to_bytes(4, "big") + b"\xff\xd8"
    frame = parse_frame(message, max_bytes=1000)
    assert (frame.nonce, frame.seq, frame.client_ms, frame.jpeg) == ("deadbeef", 7, 1234, b"\xff\xd8")


@pytest.mark.parametrize("message", [b"", b"\0" * HEADER.size, b"\xff" * 8 + b"\0" * 9, b"a\0b\0\0\0\0\0" + b"\0" * 9])
def test_malformed_frames_are_refused(message: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        parse_frame(message, max_bytes=1000)
    assert caught.value.code == "frame_malformed"


def test_a_frame_of_five_megabytes_is_refused_by_name() -> None:
    with pytest.raises(FrameError, match="400000 bytes") as caught:
        parse_frame(bytes(5_000_000), max_bytes=400_000)
    assert caught.value.code == "frame_too_large"


@given(st.binary(max_size=64))
def test_no_bytes_make_the_parser_fail_otherwise(message: bytes) -> None:
    try:
        parse_frame(message, max_bytes=48)
    except FrameError as error:
        assert error.code in {"frame_malformed", "frame_too_large"}
