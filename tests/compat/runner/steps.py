"""The steps of a test: `do`, its `catch`, and the assertions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.compat.runner.client import Answer, Client
from tests.compat.runner.spec import Api, SpecError
from tests.compat.runner.values import Stash, StepFailed, lookup, matches, truthy

CATCHES = {
    "bad_request": {400},
    "param": {400},
    "unauthorized": {401},
    "forbidden": {403},
    "missing": {404},
    "request_timeout": {408},
    "conflict": {409},
    "unavailable": {503},
    "request": set(range(400, 600)) - {400, 401, 403, 404, 408, 409},
}


class Context:
    """One test's run: the node, the last answer, the stash."""

    def __init__(self, apis: dict[str, Api], client: Client) -> None:
        self.apis = apis
        self.client = client
        self.stash = Stash()
        self.last: Answer | None = None

    @property
    def body(self) -> Any:
        if self.last is None:
            raise StepFailed("no request was made yet")
        return self.last.body

    def at(self, path: Any) -> Any:
        return lookup(self.body, str(path), self.stash)

    def run(self, step: dict[str, Any]) -> None:
        for name, argument in step.items():
            if name in ("skip", "requires"):
                continue
            action = ACTIONS.get(name)
            if action is None:
                raise StepFailed(f"the runner does not know the step [{name}]")
            action(self, argument)


def _do(context: Context, argument: dict[str, Any]) -> None:
    argument = dict(argument)
    catch = argument.pop("catch", None)
    headers = context.stash.expand(argument.pop("headers", None))
    expected_warnings = argument.pop("warnings", None)
    for ignored in ("allowed_warnings", "node_selector", "warnings_regex", "allowed_warnings_regex"):
        argument.pop(ignored, None)
    for name, args in argument.items():
        _call(context, name, context.stash.expand(dict(args or {})), headers, catch, expected_warnings)


def _call(
    context: Context,
    name: str,
    args: dict[str, Any],
    headers: Any,
    catch: str | None,
    expected_warnings: list[str] | None,
) -> None:
    ignore = args.pop("ignore", None)
    api = context.apis.get(name)
    if api is None:
        raise StepFailed(f"unknown API [{name}]")
    try:
        answer = context.client.send(api.request(args), headers)
    except SpecError as problem:
        if catch == "param":
            return
        raise StepFailed(str(problem)) from problem
    context.last = answer
    _check_status(answer, catch, ignore)
    if expected_warnings:
        _check_warnings(answer, expected_warnings)


def _check_status(answer: Answer, catch: str | None, ignore: Any) -> None:
    if catch is None:
        ignored = {int(code) for code in (ignore if isinstance(ignore, list) else [ignore])} if ignore else set()
        if answer.status >= 400 and answer.body is not False and answer.status not in ignored:
            raise StepFailed(f"answered {answer.status}: {answer.text[:600]}")
        return
    if catch.startswith("/"):
        if answer.status < 400:
            raise StepFailed(f"expected an error {catch}, answered {answer.status}")
        if not re.search(catch.strip()[1:-1], answer.text) and not re.search(catch.strip()[1:-1], str(answer.body)):
            raise StepFailed(f"expected an error {catch}, got {answer.text[:600]}")
        return
    if answer.status not in CATCHES.get(catch, set()):
        raise StepFailed(f"expected [{catch}], answered {answer.status}: {answer.text[:400]}")


def _check_warnings(answer: Answer, expected: list[str]) -> None:
    given = answer.headers.get("Warning", answer.headers.get("warning", ""))
    missing = [text for text in expected if text not in given.replace('\\"', '"')]
    if missing:
        raise StepFailed(f"missing warnings {missing} in [{given}]")


def _match(context: Context, argument: dict[str, Any]) -> None:
    for path, expected in argument.items():
        expected = context.stash.expand(expected)
        actual = (
            context.last.text if path == "$body" and isinstance(expected, str) and context.last else context.at(path)
        )
        if not matches(actual, expected):
            raise StepFailed(f"{path}: expected {expected!r}, got {actual!r}"[:1200])


def _true(context: Context, path: Any) -> None:
    if not truthy(context.at(path) if path != "" else context.body):
        raise StepFailed(f"{path} is not true: {context.at(path)!r}")


def _false(context: Context, path: Any) -> None:
    if truthy(context.at(path) if path != "" else context.body):
        raise StepFailed(f"{path} is not false: {context.at(path)!r}"[:600])


def _length(context: Context, argument: dict[str, Any]) -> None:
    for path, expected in argument.items():
        actual = context.at(path)
        if not hasattr(actual, "__len__") or len(actual) != int(context.stash.expand(expected)):
            raise StepFailed(f"{path}: expected length {expected}, got {actual!r}"[:800])


def _compare(name: str, holds: Callable[[Any, Any], bool]) -> Callable[[Context, dict[str, Any]], None]:
    def check(context: Context, argument: dict[str, Any]) -> None:
        for path, expected in argument.items():
            actual, limit = context.at(path), context.stash.expand(expected)
            try:
                good = holds(actual, limit)
            except TypeError:
                good = False
            if not good:
                raise StepFailed(f"{path}: {actual!r} is not {name} {limit!r}")

    return check


def _contains(context: Context, argument: dict[str, Any]) -> None:
    for path, expected in argument.items():
        actual, wanted = context.at(path), context.stash.expand(expected)
        found = actual or []
        if isinstance(wanted, dict) and isinstance(found, list):
            good = any(
                isinstance(item, dict) and all(matches(item.get(k), v) for k, v in wanted.items()) for item in found
            )
        else:
            good = wanted in found
        if not good:
            raise StepFailed(f"{path}: {actual!r} does not contain {wanted!r}"[:800])


def _set(context: Context, argument: dict[str, Any]) -> None:
    for path, name in argument.items():
        context.stash[name] = context.at(path)


def _transform_and_set(context: Context, argument: dict[str, Any]) -> None:
    import base64

    for name, formula in argument.items():
        call = re.fullmatch(r"#base64EncodeCredentials\((.*)\)", formula)
        if call is None:
            raise StepFailed(f"unknown transformation [{formula}]")
        text = ":".join(str(context.at(path.strip())) for path in call[1].split(","))
        context.stash[name] = base64.b64encode(text.encode()).decode()


ACTIONS: dict[str, Callable[[Context, Any], None]] = {
    "do": _do,
    "match": _match,
    "is_true": _true,
    "is_false": _false,
    "length": _length,
    "lt": _compare("<", lambda a, b: a < b),
    "lte": _compare("<=", lambda a, b: a <= b),
    "gt": _compare(">", lambda a, b: a > b),
    "gte": _compare(">=", lambda a, b: a >= b),
    "contains": _contains,
    "set": _set,
    "transform_and_set": _transform_and_set,
}
