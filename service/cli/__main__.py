"""``python -m service.cli``: the command line where the command ``yinzheng`` is not on the path."""

from service.cli import main

main()
