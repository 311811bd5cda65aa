"""Objects a second, processor time and memory of each contender, on objects that wait for it."""

import contenders
import machine
import workload
from plane import Plane

SWEEP = (2, 4, 8, 16)
AS_MANY = ("-workers", str(contenders.WORKERS))
GO_OPERATORS = {  # by name their flags; without any there is one worker, as controller-runtime has it, and no limit
    "Go operator": (),
    f"Go operator, {contenders.WORKERS} workers": AS_MANY,
    f"Go operator, {contenders.WORKERS} workers, metadata of Secrets only": (*AS_MANY, "-metadata-only"),
}


class Run:
    """One contender on a control plane of its own."""

    def __init__(self, folder, load, count):
        self.folder, self.load, self.count = folder, load, count

    def floor(self, in_flight, http2=0):
        """The two writes of each object with ready-made bytes."""
        with Plane(self.folder) as plane:
            jobs = self.jobs(plane)
            plane.rest()
            progress = plane.progress()
            meter = machine.Meter(plane.pids())
            said = plane.send(jobs, in_flight, as_operator=True, http2=http2)
            usage = meter.read()
            usage.strange -= said["cpuSeconds"] / usage.seconds
            progress.look()
            figures = self.figures(progress, usage, 0)
            figures["client CPU ms/object"] = said["cpuSeconds"] * 1000 / self.count
            figures["connections"] = said["connections"]
            figures["round trip µs p50"] = said["latencyP50"]
            figures["round trip µs p99"] = said["latencyP99"]
            return figures, usage

    def jobs(self, plane):
        samples = workload.prepare(plane, self.load)
        plane.create(self.load.things(self.count))
        return workload.ready_made(plane, self.load, samples)

    def contender(self, start):
        """start(plane): the program, already at work."""
        with Plane(self.folder) as plane:
            workload.prepare(plane, self.load)
            plane.create(self.load.things(self.count))
            plane.rest()
            progress = plane.progress()
            with start(plane) as program:
                first = {}

                def seen():
                    if not first and progress.begun > 0:
                        first.update(meter=machine.Meter({**plane.pids(), "client": program.pid}), done=progress.begun)

                progress.wait(self.count, seen=seen, pause=0.1)
                usage = first["meter"].read()
                figures = self.figures(progress, usage, first["done"])
                figures["client CPU ms/object"] = usage.of["client"] * 1000 / (self.count - first["done"])
                figures["RSS MiB"] = machine.memory_of(program.pid) / 1024
                figures["peak RSS MiB"] = machine.memory_of(program.pid, "VmHWM") / 1024
            return figures, usage

    def figures(self, progress, usage, done):
        """done: objects that were finished before the processor time was counted."""
        seconds = (progress.last - progress.first).total_seconds()
        rest = self.count - done
        figures = {"objects/s": self.count / seconds}
        figures["API server CPU ms/object"] = usage.of["apiserver"] * 1000 / rest
        figures["etcd CPU ms/object"] = usage.of["etcd"] * 1000 / rest
        for what, number in progress.requests.items():
            if number > 1:
                figures[f"requests/object: {what}"] = number / self.count
        figures["requests refused"] = sum(progress.refused.values())
        return figures


def best_in_flight(folder, load, count):
    """The number of writers at which the floor is highest, and what each gave."""
    found = {in_flight: Run(folder, load, count).floor(in_flight)[0]["objects/s"] for in_flight in SWEEP}
    return max(found, key=found.get), found


def measure(report, folder, name, count, runs):
    load = workload.WORKLOADS[name]
    in_flight, sweep = best_in_flight(folder, load, min(count, 1000))
    report.note(f"{name}, {count}: floor by writers: " + ", ".join(f"{key}: {value:.0f}/s" for key, value in sweep.items()))
    run = Run(folder, load, count)
    all_of_them = {
        f"floor ({in_flight} writers)": lambda: run.floor(in_flight),
        "operator": lambda: run.contender(contenders.ours),  # which logs as it does by default
        "operator that logs warnings only": lambda: run.contender(lambda plane: contenders.ours(plane, "--log-level", "warning")),
    }
    if name == "kem-key-pairs":  # the one kind that it knows
        all_of_them |= {who: go_run(run, flags) for who, flags in GO_OPERATORS.items()}
    take_turns(report, f"{name}, {count}", all_of_them, runs)


def go_run(run, flags):
    return lambda: run.contender(lambda plane: contenders.go(plane, *flags))


def limited(report, folder, count, runs):
    """The Go operator with client-go's own default, which controller-runtime switches off: 5 requests a second."""
    run = Run(folder, workload.WORKLOADS["kem-key-pairs"], count)
    who = {"Go operator": lambda: run.contender(lambda plane: contenders.go(plane, "-qps", "5"))}
    take_turns(report, f"client-go's limit, {count} key pairs", who, runs)


def take_turns(report, section, them, runs):
    """Rounds of all contenders, by name the function that makes a run; in another order each time."""
    names = list(them)
    for number in range(runs):
        first = number % len(names)
        for who in names[first:] + names[:first]:
            report.add(section, who, *them[who]())
