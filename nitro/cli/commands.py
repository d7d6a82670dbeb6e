"""The commands: in which module each is, and what `nitro --help` says of it.

Nothing is imported here, so that the help answers at once.
"""

from __future__ import annotations

COMMANDS = {
    "deploy": ("deploy", "Build, publish, launch and measure; then remove all but the AMI."),
    "build": ("build", "Build a bootable disk image from a recipe or a program."),
    "inspect": ("build", "Show the contents of an image, read from the disk."),
    "run": ("run", "Boot an image on this machine with its console; Ctrl-] exits."),
    "launch": ("launch", "Start an instance that keeps running, of a recipe or of an AMI."),
    "probe": ("instances", "Measure a running instance."),
    "console": ("console", "Print what an instance wrote on its serial console."),
    "logs": ("console", "The same as `console`."),
    "strace": ("strace", "Count the system calls of an instance's traced program."),
    "ls": ("instances", "List all resources that nitro has created."),
    "ps": ("instances", "The same as `ls`."),
    "destroy": ("instances", "Remove resources that nitro has created, and no others."),
    "publish": ("publish", "Make a disk an AMI in every region asked for, as publish.toml says."),
    "verify": ("publish", "Check that a release is in the account as its manifest says."),
    "rollback": ("publish", "Make the parameters name an earlier release, in all regions or none."),
    "gc": ("gc", "Remove what is unfinished, failed or expired, in all regions."),
    "doctor": ("doctor", "Check what deployments need, here and in the account."),
    "selftest": ("selftest", "Try each part in the account, the cheapest first; leave nothing."),
    "init": ("init", "Look at a folder and write a nitro.toml and a recipe for it."),
    "policy": ("policy", "Print the IAM policy that commands need, or the role of VM Import."),
    "bench": ("bench", "Measure every night, record, and notice what became slower."),
    "local": ("local", "Control the local Nitro, the AWS endpoint on this machine."),
    "device": ("device", "Run the ENA card for a virtual machine; explain a trace."),
    "kernel": ("kernel", "OSv kernels for images: add, list, remove."),
    "cache": ("cache", "What is kept on this machine: list, prune."),
}

_TEXT = """\
Usage: nitro [OPTIONS] COMMAND [ARGS]...

From a program to a measured AWS Nitro instance, with or without an AWS account.

Options:
  -v, --verbose         Show all metrics, and the traceback of a failure.
  --version             Print the version.
  --install-completion  Install completion for the current shell.
  --show-completion     Print completion for the current shell.
  -h, --help            Show this message and exit.

Commands, each with a --help of its own:
{commands}

Exit codes: 0 ok, 1 failed, 2 bad input, 3 refused by AWS, 4 a probe failed,
5 a benchmark became slower, 130 interrupted (after cleaning up);
run: the program's own, 125 failed."""


def help_text() -> str:
    """What `nitro --help` prints."""
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    return _TEXT.format(commands="\n".join(lines))
