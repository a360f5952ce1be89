import io

import numpy as np
import pytest
from PIL import Image

from credential.cose import open_message
from credential.qr import decode_qr_claims, parse_qr_text
from press.fonts import FontLibrary
from press.samples import SamplePress, preview
from press.strict_table import BadTemplate
from tests.press.certificates import SAMPLES, template


@pytest.fixture(scope="module")
def press(library: FontLibrary) -> SamplePress:
    return SamplePress(template(), library)


def test_samples_reach_the_edges_of_what_a_record_may_hold(press: SamplePress) -> None:
    assert sorted(press.samples) == SAMPLES
    longest, rare = press.samples["longest"].record, press.samples["rare"].record
    assert len(longest.holder.name) == 50
    assert len(longest.fields["committee"]) == 60
    assert any(ord(char) > 0xFFFF for char in rare.holder.name)
    assert "·" in press.samples["minority"].record.holder.name
    assert press.samples["no-photo"].record.photo is None


def test_a_sample_carries_a_code_of_the_real_form(press: SamplePress) -> None:
    printed = press.print("longest")
    text = parse_qr_text(printed.qr_text)
    assert text.message is not None
    said = decode_qr_claims(open_message(text.message).payload)
    assert said.serial == printed.claims.serial
    assert printed.claims.holder.name.startswith(said.name)


def test_an_unknown_sample_is_refused(press: SamplePress) -> None:
    with pytest.raises(BadTemplate, match="there is no 'tallest'"):
        press.print("tallest")


def test_a_preview_is_a_page_at_150_dpi_and_boxes_show(library: FontLibrary) -> None:
    plain, boxed = (
        Image.open(io.BytesIO(preview(template(), library, "shortest", boxes=boxes))).convert("RGB")
        for boxes in (False, True)
    )
    assert plain.size == boxed.size == (1754, 1241)
    blue = [(np.asarray(one)[..., 2].astype(int) - np.asarray(one)[..., 0] > 80).sum() for one in (plain, boxed)]
    assert blue[1] > blue[0] + 5000
