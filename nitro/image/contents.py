"""From a recipe to the guest's file system: files, and programs with what they need."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nitro.debian import Tree, package_of
from nitro.errors import InputError
from nitro.image import command, links, named, scripts
from nitro.image.decisions import Decision
from nitro.image.excluded import excluder
from nitro.image.formats import elf
from nitro.image.libraries import Closure, Sysroot, add_unwinder
from nitro.image.rootfs import Layer, Node, Rootfs
from nitro.image.similar import similar_path
from nitro.recipe import File, Recipe, runtime

_PROGRAMS = tuple(f"{folder}/" for folder in scripts.PATH)


class _Missing(InputError):
    """What a recipe names is not where it says."""


@dataclass
class Contents:
    """Fills `rootfs` from a recipe. `packages` is the recipe's own tree, if it has one.

    `supplies` says which programs, interpreters and libraries guests have anyway; `examine` is
    shown each program and where its libraries are looked for before, the command's first.
    """

    recipe: Recipe
    packages: Tree | None
    rootfs: Rootfs
    supplies: Callable[[str], bool]
    examine: Callable[[str, Path, Sysroot], None] = lambda path, program, sysroot: None
    #: the files of the container image that the recipe is based on
    base: Path | None = None
    #: what a person should know of what was put in, a line each
    notes: list[str] = field(default_factory=list)
    #: guest path, file and root of what may be loaded while programs run
    _loaded: list[tuple[str, Path, Path]] = field(default_factory=list)
    #: interpreter, script and root, until it is known what else the guest has
    _wanted: list[tuple[str, str, Path]] = field(default_factory=list)
    _closures: dict[Path, Closure] = field(default_factory=dict)
    #: what no key of the recipe asked for, and what did
    _led_to: dict[str, str] = field(default_factory=dict)

    def add(self) -> None:
        """Raises InputError for what the recipe names and is not there."""
        started = self.recipe.argv[0]
        root = self.packages.root if self.packages else None
        unnamed = command.unnamed(self.recipe, root, self.supplies)
        programs = [*self.recipe.programs, *unnamed]
        for program in sorted(programs, key=lambda one: one.target != started):
            self._program(program)
        for file in self.recipe.files:
            self._file(file)
        for path, target in self.recipe.links.items():
            self.rootfs.add(path, Node("program", "the recipe", target=target))
        self._started()
        self._named()
        for interpreter, script, root in self._wanted:
            self._interpreter(interpreter, script, root)
        self._links()
        self._plugins()
        home = self._closure(self._sysroot("folder"))
        for library in self.recipe.libraries:
            home.library(library, f"the key libraries of {self._name}")
        for root, closure in self._closures.items():
            if "unwind" in self.recipe.extras:
                add_unwinder(closure)
            layer, origin = self._layer_of(root)
            for path, found in sorted(closure.found.items()):
                if self.base not in found.parents:
                    self._put(path, found, layer, origin)
        self._command()
        self._launcher()

    @property
    def decisions(self) -> list[Decision]:
        """Which files and libraries came in and stayed out, and for whom."""
        found = [
            Decision("file", f"{path}, from Debian", why) for path, why in self._led_to.items()
        ]
        for root, closure in sorted(self._closures.items()):
            _, origin = self._layer_of(root)
            found += [
                Decision("library", f"{path}, from {origin}", f"{by} needs it")
                for path, by in closure.needed_by.items()
            ]
            found += [
                Decision("library", f"without {name}", f"the guest has it anyway, for {by}")
                for name, by in closure.left_out.items()
            ]
        return found

    def _program(self, program: File) -> None:
        path, source, root = self._find(program)
        if not source.is_file():
            raise self._error(f"{source} is not a program", "name folders in files")
        layer, origin = self._layer_of(root)
        if own := self._elsewhere(program, source, root):
            self.rootfs.add(path, Node(layer, origin, target=own))
            path = own
        self._put(path, source, layer, origin, mode=int(program.mode or "0755", 8))
        self.examine(path, source, Sysroot(root, self.base))
        if elf.is_elf(source):
            self._check(source)
            self._closure(root).add(path, source)
            return
        self._wanted += [(interpreter, path, root) for interpreter in scripts.interpreters(source)]

    def _elsewhere(self, program: File, source: Path, root: Path) -> str | None:
        """Where a program of the packages lies that `program` names by a link in another folder.

        Beside that place it finds its own files, as Java does.
        """
        if self.packages is None or root != self.packages.root or program.path is not None:
            return None
        if not program.source.startswith("/"):  # of the recipe's own folder
            return None
        folder = Sysroot(root).locate(str(PurePosixPath(program.source).parent))
        return None if source.parent == folder else f"/{source.relative_to(root)}"

    def _named(self) -> None:
        """Bring what the configuration names of the packages, and programs that the command's
        script starts."""
        if self.packages is None or self.recipe.flavour != "linux":
            return
        root = self.packages.root
        sysroot = Sysroot(root)
        words = [*self.recipe.argv[1:], *(self.recipe.setup or ())[1:]]
        while lacks := named.lacking(self.rootfs, sysroot, words):
            for path, by in sorted(lacks.items()):
                source = sysroot.locate(path)
                assert source is not None
                self._copy(path, source, root, self._layer_of(root))
                self._led_to[path] = f"{by} names it"
        for path, by, source in named.started(self.rootfs, sysroot):
            for one in scripts.interpreters(source) if scripts.is_script(source) else ():
                if self.supplies(one) or scripts.has(one, self.rootfs, sysroot):
                    self._wanted.append((one, path, root))
                else:
                    remedy = scripts.package_line(one, self.recipe)
                    self.notes.append(f"{by} names {path}, a script of {one}; {remedy}")
        for path in self._lacking():
            source = sysroot.locate(path)
            if path.startswith(_PROGRAMS) and source and source.is_file() and elf.is_elf(source):
                self._program(File(source=path))
                self._led_to[path] = f"{self.recipe.argv[0]} names it"
        self.notes += named.unlinked(self.rootfs)

    def _interpreter(self, path: str, script: str, root: Path) -> None:
        if self.supplies(path) or (path.startswith("/") and path in self.rootfs):
            return
        sysroot = Sysroot(root, self.base)
        places = [path] if path.startswith("/") else [f"{folder}/{path}" for folder in scripts.PATH]
        for place in places:
            source = sysroot.locate(place)
            if source is not None and source.is_file():
                if self.base in source.parents:
                    return
                layer, origin = self._layer_of(root)
                self._put(place, source, layer, origin, mode=0o755)
                if elf.is_elf(source):
                    self._closure(root).add(place, source)
                self._library(place, root)
                return
        hint = scripts.package_line(path, self.recipe) if self.packages else "add its package"
        raise self._error(f"{path}, the interpreter of {script}, is missing", hint)

    def _library(self, interpreter: str, root: Path) -> None:
        """Bring the standard library of a Debian interpreter, where the recipe has none of it."""
        if self.packages is None or root != self.packages.root:
            return
        needs = runtime.of_interpreter(interpreter, self.recipe.suite, self.recipe.arch)
        if needs is None:
            return
        for one in needs.files:
            place = {"source": one} if isinstance(one, str) else one
            source = Sysroot(root).locate(place["source"])
            path = place.get("path", place["source"])
            if source is not None and not any(
                held.startswith(f"{path}/") for held in self.rootfs.nodes
            ):
                self._copy(path, source, root, self._layer_of(root), exclude=needs.exclude)
                self._led_to[path] = f"{interpreter} needs it"

    def _file(self, file: File) -> None:
        try:
            path, source, root = self._find(file)
        except _Missing:
            if file.optional:
                return
            raise
        if not source.is_dir() and not source.is_file():
            raise self._error(f"{source} is not a file or a folder", "leave it out")
        self._copy(path, source, root, self._layer_of(root, file), file.mode)

    def _links(self) -> None:
        """Bring what links of the packages lead to, where the recipe has the links alone."""
        if self.packages is None:
            return
        root = self.packages.root
        while lacks := links.lacking(self.rootfs, Sysroot(root)):
            for path, (source, link) in sorted(lacks.items()):
                if path not in self.rootfs:  # it may have come with another one's folder
                    self._copy(path, source, root, self._layer_of(root))
                    self._led_to[path] = f"the link {link} leads there"

    def _copy(
        self,
        path: str,
        source: Path,
        root: Path,
        where: tuple[Layer, str],
        mode: str | None = None,
        exclude: tuple[str, ...] = (),
    ) -> None:
        """Put a file, or a folder but for what the recipe and `exclude` name, into the guest."""
        recipe = self.recipe.model_copy(update={"exclude": (*self.recipe.exclude, *exclude)})
        excluded = excluder(source, recipe) if source.is_dir() else lambda _: False
        copied = self.rootfs.copy(path, source, *where, int(mode, 8) if mode else None, excluded)
        if copied.special:
            self.notes.append(f"left out, as no file: {', '.join(map(str, copied.special))}")
        for inside, found in copied.files:
            if elf.is_elf(found):
                self._loaded.append((inside, found, root))

    def _plugins(self) -> None:
        """Bring what plugins and extension modules need, which programs load with dlopen.

        What no package has may lie beside them, in a folder that only their program knows.
        """
        lacking: dict[str, str] = {}
        for inside, found, root in self._loaded:
            try:
                machine = elf.read(found).machine
            except InputError as error:
                self.notes.append(f"{inside} will not load: {error.what}")
                continue
            if machine != self.recipe.arch.elf_machine:
                continue  # such as one of several that a package has, each for its machine
            lacks: list[str] = []
            self._closure(root).add(inside, found, lacks)
            lacking |= {name: inside for name in lacks if name not in lacking}
        held = {path.rpartition("/")[2] for path in self.rootfs.nodes} if lacking else set()
        for name, by in sorted(lacking.items()):
            if name not in held:
                remedy = self._remedy(name) or "add its package"
                self.notes.append(f"{by} will not load: {name} is missing; {remedy}")

    def _put(
        self, path: str, source: Path, layer: Layer, origin: str, mode: int | None = None
    ) -> None:
        executable = bool((source.stat().st_mode if mode is None else mode) & 0o111)
        node = Node(layer, origin, source=source, executable=executable, permissions=mode)
        self.rootfs.add(path, node)

    def _find(self, file: File) -> tuple[str, Path, Path]:
        """Guest path, file on this machine, and the root its libraries come from."""
        kind = file.origin
        if kind is None and file.source.startswith("/"):
            kind = "package" if self.packages else "host"
        root = self._sysroot(kind or "folder")
        if file.source.startswith("/"):
            source = Sysroot(root).locate(file.source)
            where = {"package": "in the recipe's packages", "host": "on this machine"}
            if source is None:
                hint = (
                    'add its package, or from = "host"' if kind == "package" else "check the path"
                )
                if similar := similar_path(
                    Sysroot(root), file.source, everywhere=kind == "package"
                ):
                    hint = f"did you mean {similar}?"
                raise self._error(f"{file.source} is not {where[kind or 'host']}", hint, _Missing)
            return file.target, source, root
        source = self.recipe.folder / file.source
        if not source.exists():
            hint = "relative paths start at the recipe"
            program = f"/usr/bin/{source.name}"
            if self.packages and (similar := similar_path(Sysroot(root), program)):
                hint = f"did you mean {similar}?"
            raise self._error(f"{source} does not exist", hint, _Missing)
        return file.target, source, root

    def _sysroot(self, kind: str) -> Path:
        if kind == "package" or (kind == "folder" and self.packages):
            if self.packages is None:
                raise self._error('from = "package", but the recipe has no packages', "name some")
            return self.packages.root
        return self.recipe.folder / self.recipe.sysroot

    def _layer_of(self, root: Path, file: File | None = None) -> tuple[Layer, str]:
        if file is not None and not file.source.startswith("/"):
            return "program", "the recipe"
        if self.packages is not None and root == self.packages.root:
            return "packages", "Debian"
        return "program", "this machine" if root == Path("/") else str(root)

    def _closure(self, root: Path) -> Closure:
        return self._closures.setdefault(
            root,
            Closure(Sysroot(root, self.base), self.recipe.arch, self.supplies, remedy=self._remedy),
        )

    def _remedy(self, soname: str) -> str | None:
        """The line of a recipe that brings a library."""
        package = package_of(soname, self.recipe.suite, self.recipe.arch)
        if package is None:
            return None
        packages = ", ".join(f'"{name}"' for name in (*self.recipe.packages, package))
        return f"write packages = [{packages}]"

    def _check(self, source: Path) -> None:
        found = elf.read(source)
        arch = self.recipe.arch
        if found.kind not in ("ET_EXEC", "ET_DYN"):
            raise self._error(f"{source} is not an executable", "link it into a program")
        if found.machine != arch.elf_machine:
            raise self._error(
                f"{source} is for {elf.machine_name(found.machine)}", f"build it for {arch.ec2}"
            )

    def _started(self) -> None:
        """Ask for what runs the command, where it is a script among the files."""
        program = self.recipe.argv[0]
        node = self.rootfs.find(program) if program.startswith("/") else None
        if node is None or not isinstance(node.source, Path) or node.layer == "container":
            return
        if not node.mode & 0o111:
            raise self._error(
                f"command: {program} is not executable",
                "chmod +x it, or start its interpreter with its path",
            )
        if not elf.is_elf(node.source) and program not in [script for _, script, _ in self._wanted]:
            root = self._sysroot("package" if node.layer == "packages" else "folder")
            self._wanted += [(one, program, root) for one in scripts.interpreters(node.source)]

    def _command(self) -> None:
        program = self.recipe.argv[0]
        if self.recipe.base:
            known = command.locate(self.rootfs, self.recipe) is not None
        else:
            known = program in self.rootfs
        if known or self.supplies(program):
            self._script()
            return
        hint = "add it to programs"
        if not program.startswith("/") and not self.recipe.base:
            hint = "write the absolute path that it has in the guest"
        path = program if "/" in program else f"/usr/bin/{program}"
        if self.packages and (similar := similar_path(Sysroot(self.packages.root), path)):
            hint = f"did you mean {similar}?"
        raise self._error(f"command: {program} is not in the image", hint)

    def _launcher(self) -> None:
        """Say what the command's script names of the packages, which come in only when named."""
        if lacks := self._lacking():
            self.notes.append(
                f"{self.recipe.argv[0]} names what the image has not; if it needs that: "
                f"files += {json.dumps(lacks)}"
            )

    def _lacking(self) -> list[str]:
        """What the command's script names of the packages, and the image has not."""
        program = self.recipe.argv[0]
        node = self.rootfs.find(program) if program.startswith("/") else None
        if self.packages is None or node is None or node.layer != "packages":
            return []
        return scripts.lacking(program, self.rootfs, Sysroot(self.packages.root))

    def _script(self) -> None:
        """Refuse a runtime's command whose script is not there: its start would say so, hidden in a
        console."""
        words = [word for word in self.recipe.argv[1:3] if word != "-jar"][:1]
        language = runtime.of_script(words[0]) if words else None
        if not self.recipe.runtime or language is None or words[0].startswith("-"):
            return
        path = str(PurePosixPath("/", self.recipe.working_directory or "", words[0]))
        if path not in self.rootfs:
            raise self._error(f"command: {path} is not in the image", "add it to files")

    def _error(self, what: str, hint: str, kind: type[InputError] = InputError) -> InputError:
        return kind(f"{self._name}: {what}", hint=hint)

    @property
    def _name(self) -> str:
        """What a person calls the recipe: its file, where it has one."""
        return str(self.recipe.file or self.recipe.name)
