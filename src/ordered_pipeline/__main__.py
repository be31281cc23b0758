"""The command ``ordered-pipeline``, also ``python -m ordered_pipeline``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands behind the command's name; by default the process's own arguments.

    Returns:
        The exit status; the command's help lists them.

    Raises:
        SystemExit: The arguments are wrong, or ask for help or for the version.
    """
    try:
        # Imported here, so that Ctrl-C ends the process quietly from the first moment on.
        from ordered_pipeline.cli._arguments import SayOptions, parse  # noqa: PLC0415
        from ordered_pipeline.cli._say import say  # noqa: PLC0415
        from ordered_pipeline.cli._talk import talk  # noqa: PLC0415

        options = parse(arguments)
        return say(options) if isinstance(options, SayOptions) else talk(options)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
