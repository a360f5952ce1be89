"""The world of the verifier's tests, for attacks on certificates of our own."""

from tests.verifier.conftest import press, printed, stranger, world

__all__ = ["press", "printed", "stranger", "world"]
