"""Run a whole batch in this process and kill it, really, at the place asked for."""

import sys
from pathlib import Path

from tests.fakes_issuer import build_house
from tests.faults.faults import Countdown, kill_here, run_all, watched


def main() -> None:
    """Arguments: the folder of the house, the number of the place."""
    house = build_house(Path(sys.argv[1]), is_new=False)
    with watched(Countdown(int(sys.argv[2]), kill_here)):
        run_all(house)


if __name__ == "__main__":
    main()
