"""Commands for gdb that show the tasks of a program, running or in a core file.

    gdb -x tools/weft-gdb.py ...
    (gdb) weft tasks        the tree of tasks of every loop, and what each waits for
    (gdb) weft bt 7         the call stack of task #7; of several loops, those of each that has one
    (gdb) weft bt all       of every task

The library needs its debugging information.  A core file is the kernel's: the gcore of gdb leaves
out stacks that have a guard page beside them.  Nothing is changed or run in the program: gdb is told,
for as long as a command takes, that the innermost frame was called from where the task stands.
"""

import gdb
import gdb.unwinder

READY, FIRST, RUNNING, PARKED = range(4)
X86_64 = {"rsp": "sp", "rbp": "bp", "rip": "pc"}
AARCH64 = tuple(f"x{n}" for n in range(19, 31))
# In the uc_mcontext of a ucontext_t, from its begin, in words.
UCONTEXT_X86_64 = {"r12": 9, "r13": 10, "r14": 11, "r15": 12, "rbp": 15, "rbx": 16, "rsp": 20,
                   "rip": 21}


def container(node, type_name, *members):
    """The struct that holds an intrusive list node."""
    kind = gdb.lookup_type(type_name)
    offset = 0
    inner = kind
    for member in members:
        field = next(field for field in inner.fields() if field.name == member)
        offset += field.bitpos // 8
        inner = field.type
    return (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(kind.pointer())


def members_of(head):
    """The nodes of a list."""
    node = head["next"]
    while node != head.address:
        yield node
        node = node["next"]


def loops():
    symbol = gdb.lookup_global_symbol("weft__loops")
    if symbol is None:
        raise gdb.GdbError("no debugging information of weft, or the program does not use it")
    return [container(node, "struct weft__loop", "debug", "node")
            for node in members_of(symbol.value())]


def groups_of(task):
    """Of a task, with children, outermost first."""
    scope = task["outermost"]
    while scope:
        if scope["group"] and scope["group"]["n_children"]:
            yield scope["group"]
        scope = scope["inner"]


def children_of(group):
    return [container(node, "struct weft_task", "sibling") for node in members_of(group["children"])]


def text(value):
    return value.string(errors="backslashreplace").encode("unicode_escape").decode() \
        if value else ""


def name_of(task):
    return text(task["name"]) or "task"


def walk(loop, visit):
    """Calls visit(task or group, depth) for the tree of a loop."""
    def group_below(group, depth):
        visit(group, depth)
        for child in children_of(group):
            task_below(child, depth + 1)

    def task_below(task, depth):
        visit(task, depth)
        for group in groups_of(task):
            group_below(group, depth + 1)

    task_below(loop["native"].address, 0)
    for background in {int(loop["background"]), int(loop["own_background"].address)}:
        group = gdb.Value(background).cast(gdb.lookup_type("struct weft__group").pointer())
        if group["n_children"]:
            group_below(group, 1)


def is_task(what):
    return what.type.target().name == "weft_task" or "weft_task" in str(what.type)


def tasks_of(loop):
    found = []
    walk(loop, lambda what, depth: found.append(what) if is_task(what) else None)
    return found


def current_of(loop):
    """Whose stack the loop's thread stands on."""
    for task in tasks_of(loop)[1:]:
        if int(task["state"]) == RUNNING:
            return task
    return loop["native"].address


def state_of(task, current):
    if task == current:
        return "running"
    if int(task["state"]) == PARKED and task["wait"]:
        return "waits for " + (text(task["wait"]["what"]) or "something")
    return "ready" if int(task["state"]) <= FIRST else "running"


# ---- call stacks ----

def word(address):
    kind = gdb.lookup_type("unsigned long").pointer()
    return int(gdb.Value(address).cast(kind).dereference())


def saved_registers(task):
    """What a suspended task has left: see src/run/ctx.h."""
    at = int(task["ctx"]["sp"])
    machine = gdb.selected_frame().architecture().name()
    if not has_minimal("weft__ctx_start"):
        if "x86-64" not in machine:
            raise gdb.GdbError("ucontext of this machine is not known")
        return {name: word(at + 8 * n) for name, n in UCONTEXT_X86_64.items()}
    if "x86-64" in machine:
        return {name: int(task["ctx"][field]) for name, field in X86_64.items()}
    registers = {name: word(at + 8 * n) for n, name in enumerate(AARCH64)}
    registers["sp"] = at + 160
    registers["pc"] = registers["x30"]
    return registers


def has_minimal(name):
    try:
        gdb.parse_and_eval("(void *)" + name)
        return True
    except gdb.error:
        return False


class CalledFromTask(gdb.unwinder.Unwinder):
    """Says that the innermost frame was called by the place where a task is suspended."""

    def __init__(self):
        super().__init__("weft")
        self.registers = None
        self.place = None

    def __call__(self, frame):
        if self.registers is None:
            return None
        sp, pc = ("rsp", "rip") if "rsp" in self.registers else ("sp", "pc")
        if (int(frame.read_register(sp)), int(frame.read_register(pc))) != self.place:
            return None
        # Stacks grow down: the frame has to seem to be below the task's.
        here = gdb.Value(self.registers[sp] - 16).cast(frame.read_register(sp).type)
        info = frame.create_unwind_info(FrameId(here, frame.read_register(pc)))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info

    def backtrace(self, task):
        """The lines of bt for a suspended task."""
        gdb.newest_frame().select()
        frame = gdb.newest_frame()
        registers = saved_registers(task)
        sp, pc = ("rsp", "rip") if "rsp" in registers else ("sp", "pc")
        self.place = (int(frame.read_register(sp)), int(frame.read_register(pc)))
        self.registers = registers
        gdb.invalidate_cached_frames()
        try:
            lines = gdb.execute("bt", to_string=True).split("\n")
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
        first = next((n for n, line in enumerate(lines) if line.startswith("#1 ")), len(lines))
        return [line for line in lines[first:] if line]


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


UNWINDER = CalledFromTask()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def thread_of(loop):
    return next((thread for thread in gdb.selected_inferior().threads()
                 if thread.ptid[1] == int(loop["debug"]["thread"])), None)


def backtrace(loop, task):
    if task != current_of(loop):
        return UNWINDER.backtrace(task)
    before = gdb.selected_thread()
    thread = thread_of(loop)
    if thread is None:
        return ["(its thread is not there)"]
    thread.switch()
    lines = [line for line in gdb.execute("bt", to_string=True).split("\n") if line]
    before.switch()
    return lines


# ---- commands ----

class Weft(gdb.Command):
    """weft tasks | weft bt ID | weft bt all: the tasks of a program that uses weft."""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class WeftTasks(gdb.Command):
    """The tree of tasks of every loop, and what each waits for."""

    def __init__(self):
        super().__init__("weft tasks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for loop in loops():
            current = current_of(loop)
            print(f"{int(loop['n_tasks'])} tasks of thread {int(loop['debug']['thread'])} "
                  f"({text(loop['backend']['name'])})")

            def show(what, depth, current=current):
                if is_task(what):
                    print(f"{'  ' * depth}{name_of(what)} #{int(what['id'])}: "
                          f"{state_of(what, current)}")
                else:
                    print(f"{'  ' * depth}{text(what['name'])}: {int(what['n_children'])} tasks")
            walk(loop, show)


class WeftBt(gdb.Command):
    """The call stack of a task by its number, or of all of them."""

    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if not argument.isdigit() and argument != "all":
            raise gdb.GdbError("weft bt ID, or weft bt all")
        found = False
        for loop in loops():
            for task in tasks_of(loop):
                if argument != "all" and int(task["id"]) != int(argument):
                    continue
                found = True
                print(f"{name_of(task)} #{int(task['id'])} of thread "
                      f"{int(loop['debug']['thread'])}: {state_of(task, current_of(loop))}")
                for line in backtrace(loop, task):
                    print(line)
        if not found:
            raise gdb.GdbError(f"there is no task #{argument}")


Weft()
WeftTasks()
WeftBt()
