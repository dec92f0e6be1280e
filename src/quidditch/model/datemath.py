"""Date math in index names: `<logs-{now/d{yyyy.MM.dd|+02:00}}>`. `now` comes in as an argument."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from quidditch.model.errors import ApiError

_DEFAULT_FORMAT = "uuuu.MM.dd"
_STEP = re.compile(r"([+-])(\d*)([yMwdhHms])|/([yMwdhHms])")
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?")
_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _parse_error(reason: str) -> ApiError:
    return ApiError(400, "parse_exception", reason)


def is_expression(name: str) -> bool:
    return len(name) > 2 and name.startswith("<") and name.endswith(">")


def resolve(name: str, now_ms: int) -> str:
    """The name with its placeholders filled; names that are no `<…>` expression come back unchanged."""
    if not is_expression(name):
        return name
    text = name[1:-1]
    out: list[str] = []
    placeholder: list[str] = []
    depth = 0
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            (placeholder if depth else out).append(text[position + 1])
            position += 2
            continue
        if char == "{":
            depth += 1
            if depth > 2:
                raise _parse_error(
                    f"invalid dynamic name expression [{''.join(placeholder)}]. invalid character in placeholder at "
                    f"position [{position}]"
                )
            if depth == 2:
                placeholder.append(char)
        elif char == "}":
            if depth == 0:
                raise _parse_error(
                    f"invalid dynamic name expression [{text}]. invalid character at position [{position}]. "
                    f"`{{` and `}}` are reserved"
                    " characters and should be escaped when used as part of the index name using `\\` (e.g. "
                    "`\\{text\\}`)"
                )
            depth -= 1
            if depth == 0:
                out.append(_placeholder("".join(placeholder), now_ms))
                placeholder.clear()
            else:
                placeholder.append(char)
        else:
            (placeholder if depth else out).append(char)
        position += 1
    if depth:
        raise _parse_error(f"invalid dynamic name expression [{text}]. date math placeholder is open ended")
    if not out:
        raise _parse_error("nothing captured")
    return "".join(out)


def _placeholder(text: str, now_ms: int) -> str:
    """`now-1d/d{format|zone}` rendered."""
    expression, brace, tail = text.partition("{")
    pattern, zone = _DEFAULT_FORMAT, "UTC"
    if brace:
        if not tail.endswith("}"):
            raise _parse_error(f"invalid dynamic name expression [{text}]. missing closing `}}` for date math format")
        tail = tail[:-1]
        if not tail:
            raise _parse_error("missing date format")
        pattern, bar, given = tail.partition("|")
        if bar:
            if not given:
                raise _parse_error("missing timezone")
            zone = given
    moment = datetime.fromtimestamp(now_ms / 1000, tz=UTC).astimezone(_zone(zone))
    return format_date(_compute(expression, moment), pattern)


def _zone(text: str) -> tzinfo:
    offset = _OFFSET.fullmatch(text)
    if offset:
        sign, hours, minutes = offset.groups()
        delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-delta if sign == "-" else delta)
    try:
        return UTC if text in ("Z", "UTC") else ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ApiError(400, "zone_rules_exception", f"Unknown time-zone ID: {text}") from None


def _compute(expression: str, moment: datetime) -> datetime:
    expression = expression.strip()
    if not expression.startswith("now"):
        raise _parse_error(f"failed to parse date field [{expression}] with format [{_DEFAULT_FORMAT}]")
    steps = expression[3:]
    position = 0
    while position < len(steps):
        step = _STEP.match(steps, position)
        if step is None:
            if steps[position] not in "+-/":
                raise _parse_error(f"operator not supported for date math [{steps[position:]}]")
            raise _parse_error(
                f"unit [{steps[position + 1 : position + 2]}] not supported for date math [{steps[position:]}]"
            )
        position = step.end()
        sign, number, unit, rounding = step.groups()
        moment = (
            _round(moment, rounding) if rounding else _add(moment, int(number or 1) * (-1 if sign == "-" else 1), unit)
        )
    return moment


def _add(moment: datetime, count: int, unit: str) -> datetime:
    try:
        if unit in "yM":
            months = moment.year * 12 + moment.month - 1 + (count * 12 if unit == "y" else count)
            year, month = divmod(months, 12)
            return moment.replace(year=year, month=month + 1, day=min(moment.day, _month_days(year, month + 1)))
        names = {"w": "weeks", "d": "days", "h": "hours", "H": "hours", "m": "minutes", "s": "seconds"}
        return moment + timedelta(**{names[unit]: count})
    except (ValueError, OverflowError):
        raise _parse_error(f"date math leads out of the supported years [{count}{unit}]") from None


def _month_days(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day


def _round(moment: datetime, unit: str) -> datetime:
    if unit == "w":
        moment -= timedelta(days=moment.weekday())
        unit = "d"
    fields = ("y", "M", "d", "h", "m", "s")
    unit = "h" if unit == "H" else unit
    kept = fields.index(unit) + 1
    values = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    floors = [1, 1, 1, 0, 0, 0]
    year, month, day, hour, minute, second = values[:kept] + floors[kept:]
    return moment.replace(year=year, month=month, day=day, hour=hour, minute=minute, second=second, microsecond=0)


def format_date(moment: datetime, pattern: str) -> str:
    """`moment` by a Java date pattern. Raises illegal_argument_exception for a letter that no pattern has."""
    return "".join(_piece(match, moment, pattern) for match in _PATTERN.finditer(pattern))


def _piece(match: re.Match[str], moment: datetime, pattern: str) -> str:
    if match.group(1) is not None:
        return match.group(1).replace("''", "'") or "'"
    letter, count = match.group(2), len(match.group(0))
    if letter is None:
        return match.group(0)
    number = _number(letter, moment)
    if number is not None:
        if letter in "uyY" and count == 2:
            return f"{number % 100:02d}"
        if letter == "M" and count >= 3:
            return _MONTHS[number - 1] if count == 4 else _MONTHS[number - 1][:3]
        return str(number).zfill(count)
    if letter == "S":
        return f"{moment.microsecond:06d}".ljust(count, "0")[:count]
    if letter == "E":
        day = _WEEKDAYS[moment.weekday()]
        return day if count == 4 else day[:3]
    if letter == "a":
        return "AM" if moment.hour < 12 else "PM"
    if letter in "XxZ":
        return _offset(moment, letter, count)
    raise ApiError(400, "illegal_argument_exception", f"Invalid format: [{pattern}]: Unknown pattern letter: {letter}")


def _number(letter: str, moment: datetime) -> int | None:
    week_year, week, weekday = moment.isocalendar()
    numbers = {
        "u": moment.year, "y": moment.year, "M": moment.month, "L": moment.month, "d": moment.day,
        "D": moment.timetuple().tm_yday,
        "H": moment.hour, "k": moment.hour or 24, "h": moment.hour % 12 or 12, "K": moment.hour % 12,
        "m": moment.minute,
        "s": moment.second, "Y": week_year, "x": None, "w": week, "e": weekday,
    }  # fmt: skip
    if letter == "Q" or letter == "q":
        return (moment.month + 2) // 3
    return numbers.get(letter)


def _offset(moment: datetime, letter: str, count: int) -> str:
    delta = moment.utcoffset() or timedelta()
    if letter == "X" and not delta:
        return "Z"
    minutes = int(delta.total_seconds()) // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    colon = ":" if count in (3, 5) and letter != "Z" else ""
    return f"{sign}{minutes // 60:02d}{colon}{minutes % 60:02d}"
