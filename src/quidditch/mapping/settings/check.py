"""Validates settings of new indices and updates of living ones, and applies updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from quidditch.mapping.settings.catalog import SETTINGS, find
from quidditch.mapping.settings.flat import Update
from quidditch.mapping.settings.kinds import Setting, Value
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.wildcard import matches

CheckAnalysis = Callable[[Mapping[str, Value]], None]
"""Builds every analyzer of the given settings and raises with OpenSearch's reason."""
_SIMILARITIES = ("BM25", "boolean", "DFR", "IB", "LMDirichlet", "LMJelinekMercer", "DFI")


def unknown(key: str) -> ApiError:
    """The error for a setting that does not exist, with what may have been meant."""
    scored = sorted(((_similarity(key, known), known) for known in SETTINGS), key=lambda item: (-item[0], item[1]))
    close = [known for score, known in scored if score > 0.7]
    if not close:
        hint = (
            "please check that any required plugins are installed, "
            "or check the breaking changes documentation for removed settings"
        )
    elif len(close) == 1:
        hint = f"did you mean [{close[0]}]?"
    else:
        hint = f"did you mean any of [{', '.join(close)}]?"
    return ApiError(400, "settings_exception", f"unknown setting [{key}] {hint}")


def _similarity(left: str, right: str) -> float:
    """1 − edit distance / longer length."""
    longest = max(len(left), len(right))
    if abs(len(left) - len(right)) > 0.3 * longest:
        return 0.0
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return 1.0 - row[-1] / longest


def check_values(settings: Mapping[str, Value | None]) -> None:
    """Every setting is known and its value parses. None is not parsed. The first problem is raised, with the others as `suppressed`."""
    problems = [problem for key in sorted(settings) if (problem := _problem(key, settings[key])) is not None]
    if not problems:
        return
    first, *others = problems
    if others:
        first.details["suppressed"] = [other.body() for other in others]
    raise first


def _problem(key: str, value: Value | None) -> ApiError | None:
    setting = find(key)
    if setting is None:
        return unknown(key)
    try:
        if value is not None:
            setting.parse(key, value)
    except ApiError as error:
        return error
    return None


def check_create(settings: Mapping[str, Value | None], check_analysis: CheckAnalysis | None = None) -> dict[str, Value]:
    """The settings of a new index without those that are null. Raises for what is unknown, malformed or private."""
    check_values(settings)
    given = {key: value for key, value in settings.items() if value is not None}
    _refuse_private(given)
    _check_similarities(given)
    _check_shards(given)
    if check_analysis is not None and any(key.startswith("index.analysis.") for key in given):
        check_analysis(given)
    return given


def _refuse_private(given: Mapping[str, Value]) -> None:
    problems = [
        f"private index setting [{key}] can not be set explicitly"
        for key in sorted(given)
        if (setting := find(key)) is not None and setting.private and key not in ("index.creation_date",)
    ]
    if given.get("index.data_path"):
        problems.append("path.shared_data must be set in order to use custom data paths")
    if problems:
        listed = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
        raise ApiError(400, "validation_exception", f"Validation Failed: {listed}")


def _check_similarities(given: Mapping[str, Value]) -> None:
    for key, value in given.items():
        if key.startswith("index.similarity.") and key.endswith(".type") and value not in _SIMILARITIES:
            raise illegal_argument(f"Unknown Similarity type [{value}] for [{key.split('.')[2]}]")


def _number(given: Mapping[str, Value], key: str, default: int) -> int:
    value = given.get(key)
    return default if value is None else int(str(value))


def _check_shards(given: Mapping[str, Value]) -> None:
    shards = _number(given, "index.number_of_shards", 1)
    routing = given.get("index.number_of_routing_shards")
    if routing is not None and int(str(routing)) < shards:
        raise illegal_argument(
            f"index.number_of_routing_shards [{routing}] must be >= index.number_of_shards [{shards}]"
        )
    if routing is not None and int(str(routing)) % shards:
        raise illegal_argument(f"the number of source shards [{shards}] must be a factor of [{routing}]")
    wait = given.get("index.write.wait_for_active_shards")
    copies = _number(given, "index.number_of_replicas", 1) + 1
    if isinstance(wait, str) and wait != "all" and int(wait) > copies:
        raise illegal_argument(
            f"invalid index.write.wait_for_active_shards[{wait}]: "
            f"cannot be greater than number of shard copies [{copies}]"
        )


# --- updates --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """An index whose settings are to be changed."""

    name: str
    uuid: str
    open: bool
    settings: Mapping[str, Value]


def check_update(update: Update) -> None:
    """What can be said of an update without looking at an index."""
    plain = {key: value for key, value in update.items() if "*" not in key}
    for key in sorted(plain):
        setting = find(key)
        if setting is None:
            raise unknown(key)
        if setting.private:
            raise ApiError(
                400,
                "settings_exception",
                f"can not update private setting [{key}]; this setting is managed by OpenSearch",
            )
        value = plain[key]
        if value is not None:
            setting.parse(key, value)


def apply_update(
    targets: Iterable[Target],
    update: Update,
    preserve_existing: bool = False,
    check_analysis: CheckAnalysis | None = None,
) -> dict[str, dict[str, Value]]:
    """Index name → its new settings. All or nothing. `update` must have passed :func:`normalize`."""
    check_update(update)
    targets = list(targets)
    _refuse_static(targets, update)
    return {target.name: _changed(target, update, preserve_existing, check_analysis) for target in targets}


def _is_dynamic(key: str) -> bool:
    setting = find(key)
    return setting is None or setting.dynamic


def _refuse_static(targets: list[Target], update: Update) -> None:
    static = [key for key in sorted(update) if "*" not in key and not _is_dynamic(key)]
    opened = [f"[{target.name}/{target.uuid}]" for target in targets if target.open]
    if static and opened:
        raise illegal_argument(
            f"Can't update non dynamic settings [[{', '.join(static)}]] for open indices [{', '.join(opened)}]"
        )


def _changed(
    target: Target, update: Update, preserve_existing: bool, check_analysis: CheckAnalysis | None
) -> dict[str, Value]:
    settings = dict(target.settings)
    for key, value in update.items():
        if "*" in key:
            for found in [name for name in settings if _resettable(name, key)]:
                del settings[found]
            continue
        setting = find(key)
        if setting is not None and setting.final:
            raise ApiError(400, "settings_exception", f"final {target.name} setting [{key}], not updateable")
        if value is None:
            if not preserve_existing:
                settings.pop(key, None)
        elif not (preserve_existing and key in settings):
            settings[key] = value
    _keep_required(settings)
    _check_similarities(settings)
    _check_shards(settings)
    if check_analysis is not None and any(key.startswith("index.analysis.") for key in update):
        check_analysis(settings)
    return dict(sorted(settings.items()))


def _resettable(name: str, pattern: str) -> bool:
    setting: Setting | None = find(name)
    wanted = pattern if pattern.startswith(("index.", "*")) else f"index.{pattern}"
    return matches(wanted, name) and setting is not None and setting.dynamic


def _keep_required(settings: dict[str, Value]) -> None:
    """The number of replicas is always said."""
    settings.setdefault("index.number_of_replicas", "1")
