"""The commands that measure: race, lock, scaling, lock-cost, turns, latency."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gilnotes import experiments, interpreters, reports, tables, timing, turns
from gilnotes.cli.options import (
    add_python,
    chosen,
    command,
    print_json,
    switch_interval,
    whole_number,
)

if TYPE_CHECKING:
    from argparse import Namespace

    from gilnotes.cli.options import Parser, Subparsers
    from gilnotes.experiments import Runs


# -- gilnotes race, gilnotes lock


def _add_race(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "race",
        _race,
        "let threads share a counter that nothing guards",
        "  gilnotes race\n"
        "  gilnotes race --runs 20 --switch-interval 1e-6\n"
        "  gilnotes race --python 3.9 --python 3.13t --python 3.13t+gil\n",
    )
    _add_race_options(parser)


def _add_lock(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "lock",
        _race,
        "let threads share a counter that a lock guards",
        "  gilnotes lock\n  gilnotes lock --python all\n",
    )
    _add_race_options(parser)


def _add_race_options(parser: Parser) -> None:
    whole = whole_number
    parser.add_argument(
        "--runs", type=whole(1), default=1, metavar="N", help="repeat N times, show the range"
    )
    parser.add_argument(
        "--threads", type=whole(1), default=5, metavar="N", help="threads (default: 5)"
    )
    parser.add_argument(
        "--how-many",
        type=whole(0),
        default=10**5,
        metavar="N",
        help="increments of each thread (default: 100000)",
    )
    parser.add_argument(
        "--switch-interval",
        type=switch_interval,
        metavar="S",
        help="seconds a waiting thread waits before it asks for the GIL (Python's default: 0.005)",
    )
    add_python(parser)


def _race(options: Namespace) -> None:
    settings = {
        "runs": options.runs,
        "threads": options.threads,
        "how_many": options.how_many,
        "switch_interval": options.switch_interval,
    }
    if options.python:
        results = experiments.race_on(chosen(options), options.command, **settings)
    else:
        counter_class = experiments.COUNTERS[options.command]
        results = [(interpreters.current(), experiments.race(counter_class, **settings))]
    if options.json:
        print_json((interpreter, asdict(runs)) for interpreter, runs in results)
    elif options.python:
        print(f"Counter should be {results[0][1].expected}")
        print(tables.text(reports.race(results)))
    else:
        ((interpreter, runs),) = results
        print(_summary(runs))
        print(interpreter.label)


def _summary(runs: Runs) -> str:
    if len(runs.found) == 1:
        return f"Counter should be {runs.expected}, found {runs.found[0]}"
    return (
        f"Counter should be {runs.expected}; lost updates in {runs.lost_in} of {len(runs.found)} "
        f"runs\nfound: minimum {runs.minimum}, median {runs.median}, maximum {runs.maximum}"
    )


# -- gilnotes scaling, gilnotes lock-cost


def _add_scaling(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "scaling",
        _scaling,
        "measure how many times the work of one thread 2 and 4 do, in the same time",
        "  gilnotes scaling\n  gilnotes scaling --python 3.13 --python 3.13t\n",
    )
    _add_timing_options(parser)


def _add_lock_cost(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "lock-cost",
        _lock_cost,
        "time an increment without a lock and with one",
        "  gilnotes lock-cost\n  gilnotes lock-cost --python all\n",
    )
    _add_timing_options(parser)


def _add_timing_options(parser: Parser) -> None:
    parser.add_argument(
        "--repeat", type=whole_number(1), default=5, metavar="N", help="rounds (default: 5)"
    )
    add_python(parser)


def _scaling(options: Namespace) -> None:
    if options.python:
        results = timing.scaling_on(chosen(options), options.repeat)
    else:
        results = [(interpreters.current(), timing.both_scalings(repeat=options.repeat))]
    if options.json:
        print_json((interpreter, asdict(measured)) for interpreter, measured in results)
    else:
        for title, work in (("Work for the processor", "cpu_bound"), ("Waiting", "waiting")):
            rows = [(interpreter, getattr(measured, work)) for interpreter, measured in results]
            print(f"{title}:\n{tables.text(reports.scaling(rows))}")


def _lock_cost(options: Namespace) -> None:
    if options.python:
        results = timing.lock_cost_on(chosen(options), options.repeat)
    else:
        results = [(interpreters.current(), timing.lock_cost(repeat=options.repeat))]
    if options.json:
        print_json(
            (interpreter, {"costs": [asdict(cost) for cost in costs]})
            for interpreter, costs in results
        )
    else:
        print(tables.text(reports.lock_cost(results)))


# -- gilnotes turns, gilnotes latency


def _add_turns(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "turns",
        _turns,
        "watch who runs when, of two threads",
        "  gilnotes turns\n  gilnotes turns --python 3.13 --python 3.13t\n",
    )
    add_python(parser)


def _add_latency(subparsers: Subparsers) -> None:
    parser = command(
        subparsers,
        "latency",
        _latency,
        "time how late a thread runs that has slept, at several switch intervals",
        "  gilnotes latency\n  gilnotes latency --python 3.13 --python 3.13t\n",
    )
    add_python(parser)


def _turns(options: Namespace) -> None:
    if options.python:
        results = turns.turns_on(chosen(options))
    else:
        results = [(interpreters.current(), turns.both_turns())]
    if options.json:
        print_json((interpreter, asdict(measured)) for interpreter, measured in results)
    else:
        for title, works in (("Two threads that count", "counting"), ("One waits", "waiting")):
            rows = [(interpreter, getattr(measured, works)) for interpreter, measured in results]
            print(f"{title}:\n{tables.text(reports.turns(rows))}")


def _latency(options: Namespace) -> None:
    if options.python:
        results = turns.latency_on(chosen(options))
    else:
        results = [(interpreters.current(), turns.latency())]
    if options.json:
        print_json(
            (interpreter, {"latencies": [asdict(latency) for latency in latencies]})
            for interpreter, latencies in results
        )
    else:
        print(tables.text(reports.latency(results)))


COMMANDS = (_add_race, _add_lock, _add_scaling, _add_lock_cost, _add_turns, _add_latency)
