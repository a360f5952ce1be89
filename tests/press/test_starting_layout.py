import re

from press.starting_layout import starting_layout
from tests.looks.printing import TEMPLATES


def test_columns_of_labels_grow_with_the_page() -> None:
    like = (TEMPLATES / "training" / "template.toml").read_text("utf-8")
    written = starting_layout(like, "training", artwork="page.pdf", width=252, height=356.4)
    before, after = (
        [float(one) for one in re.findall(r"^label_column = (.*)$", text, re.MULTILINE)] for text in (like, written)
    )
    assert before
    assert after == [round(1.2 * one, 2) for one in before]
