"""The world of the verifier's tests, for attacks on certificates of our own; writers of hostile uploads."""

from tests.attacks.hostile import good, outcome, readers
from tests.intake.conftest import make_csv, make_xlsx, make_zip
from tests.verifier.conftest import press, printed, stranger, world

__all__ = ["good", "make_csv", "make_xlsx", "make_zip", "outcome", "press", "printed", "readers", "stranger", "world"]
