use proptest::prelude::*;

use super::*;

fn millis(format: &str, text: &str) -> i64 {
    DateFormat::get(format).expect("format").parse_millis(text).unwrap_or_else(|e| panic!("{format} {text}: {e:?}"))
}

fn refusal(format: &str, text: &str) -> String {
    let e = DateFormat::get(format).expect("format").parse_millis(text).expect_err(text);
    e.cause.map_or(e.reason, |cause| cause.reason)
}

fn iso(text: &str) -> i64 {
    millis("strict_date_optional_time", text)
}

#[test]
fn formats_read() {
    let day = iso("2024-02-29");
    assert_eq!(day, 1_709_164_800_000);
    for (format, text, expected) in [
        ("strict_date_optional_time||epoch_millis", "1709164800000", day),
        ("epoch_second", "1709164800.5", day + 500),
        ("epoch_millis", "-1", -1),
        ("yyyy-MM-dd", "2024-02-29", day),
        ("yyyyMMdd", "20240229", day),
        ("yyyy/MM/dd HH:mm:ss||yyyy/MM/dd", "2024/02/29", day),
        ("dd MMM yyyy", "29 Feb 2024", day),
        ("EEEE, d MMMM uuuu", "Thursday, 29 February 2024", day),
        ("basic_date", "20240229", day),
        ("basic_date_time", "20240229T000000.000Z", day),
        ("basic_ordinal_date", "2024060", day),
        ("ordinal_date", "2024-060", day),
        ("week_date", "2024-W09-4", day),
        ("basic_week_date", "2024W094", day),
        ("strict_weekyear_week_day", "2024-W09-4", day),
        ("date", "2024-2-29", day),
        ("date_optional_time", "2024-2-29T1:2:3.5Z", day + 3_723_500),
        ("strict_date_time", "2024-02-29T01:00:00.000+01:00", day),
        ("strict_date_hour_minute", "2024-02-29T00:00", day),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2024-02-29T02:00:00.000+0200", day),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2024-02-29T02:00:00+02:00", day),
        ("yyyy-MM-dd HH:mm VV", "2024-02-29 01:00 Europe/Berlin", day),
        ("yyyy-MM-dd[ HH:mm]", "2024-02-29", day),
        ("yy-MM-dd", "24-02-29", day),
        ("hh:mm a", "01:05 PM", 47_100_000),
        ("8yyyy-MM-dd", "2024-02-29", day),
        ("hour_minute", "01:05", 3_900_000),
        ("strict_year", "2024", iso("2024-01-01")),
        ("strict_date_optional_time", "+12024-01-01T10+01", iso("+12024-01-01T09:00")),
    ] {
        assert_eq!(millis(format, text), expected, "{format} {text}");
    }
}

#[test]
fn formats_refuse_with_java_sentences() {
    for (format, text, reason) in [
        ("yyyy-MM-dd", "no", "Text 'no' could not be parsed at index 0"),
        ("yyyy-MM-dd", "2024-1-1", "Text '2024-1-1' could not be parsed at index 5"),
        ("yyyy-MM-dd", "2024-02-30", "Invalid date 'FEBRUARY 30'"),
        ("yyyy-MM-dd", "2024-02-01x", "Text '2024-02-01x' could not be parsed, unparsed text found at index 10"),
        ("yyyy-MM-dd", "12024-01-01", "Text '12024-01-01' could not be parsed at index 0"),
        (
            "strict_date_optional_time",
            "2024-02-30",
            "Text '2024-02-30' could not be parsed: Invalid date 'FEBRUARY 30'",
        ),
        ("strict_date_optional_time", "2024-1", "Text '2024-1' could not be parsed, unparsed text found at index 4"),
        (
            "strict_date_optional_time",
            "2024-01-01T1",
            "Text '2024-01-01T1' could not be parsed, unparsed text found at index 11",
        ),
        (
            "strict_date_optional_time",
            "2024-01-01T10:00:00+1",
            "Text '2024-01-01T10:00:00+1' could not be parsed, unparsed text found at index 19",
        ),
        (
            "strict_date_optional_time",
            "2024-01-01T24:00:00",
            "Text '2024-01-01T24:00:00' could not be parsed: Invalid value for HourOfDay (valid values 0 - 23): 24",
        ),
        ("basic_date", "2024-02-29", "Text '2024-02-29' could not be parsed at index 4"),
        ("epoch_millis", "1e3", "Failed to parse with all enclosed parsers"),
        ("strict_date_optional_time||epoch_millis", "x", "Failed to parse with all enclosed parsers"),
    ] {
        assert_eq!(refusal(format, text), reason, "{format} {text}");
    }
}

#[test]
fn bad_patterns() {
    for (format, why) in [
        ("strict_nonsense", "Unknown pattern letter: t"),
        ("yyyy-'x", "Pattern ends with an incomplete string literal: yyyy-'x"),
        ("yyyy]", "Pattern invalid as it contains ] without previous ["),
        ("ddd", "Too many pattern letters: d"),
    ] {
        let e = DateFormat::get(format).err().expect(format);
        assert_eq!(e.reason, format!("Invalid format: [{format}]: {why}"));
    }
}

#[test]
fn formats_write() {
    let at = iso("2024-02-29T13:04:05.067");
    let berlin = parse_zone("Europe/Berlin").expect("zone");
    for (format, zone, expected) in [
        ("strict_date_optional_time||epoch_millis", None, "2024-02-29T13:04:05.067Z"),
        ("strict_date_optional_time", Some(&berlin), "2024-02-29T14:04:05.067+01:00"),
        ("epoch_millis", None, "1709211845067"),
        ("epoch_second", None, "1709211845.067"),
        ("yyyy-MM-dd", None, "2024-02-29"),
        ("dd/MM/yy h:mm a", None, "29/02/24 1:04 PM"),
        ("EEE MMM d", None, "Thu Feb 29"),
        ("strict_date_time_no_millis", None, "2024-02-29T13:04:05Z"),
        ("basic_week_date", None, "2024W094"),
        ("yyyy-MM-dd HH:mm:ss.SSSSSS Z", None, "2024-02-29 13:04:05.067000 +0000"),
        ("D", None, "60"),
        ("strict_year_month", None, "2024-02"),
    ] {
        let format = DateFormat::get(format).expect("format");
        assert_eq!(format.print_millis(at, zone.unwrap_or(&zone::UTC)), expected);
    }
    assert_eq!(
        DateFormat::get("strict_date_optional_time_nanos").expect("f").print_nanos(1_000_000_001, &zone::UTC),
        "1970-01-01T00:00:01.000000001Z"
    );
    assert_eq!(
        DateFormat::get("strict_date_optional_time").expect("f").print_millis(253_402_300_800_000, &zone::UTC),
        "+10000-01-01T00:00:00.000Z"
    );
}

#[test]
fn date_math() {
    let format = DateFormat::get("strict_date_optional_time||epoch_millis").expect("format");
    let now = i128::from(iso("2024-03-15T10:20:30.456")) * 1_000_000;
    let berlin = parse_zone("Europe/Berlin").expect("zone");
    let run = |text: &str, up: bool, zone: Option<&Zone>| {
        (parse_math(text, &format, now, up, zone).expect(text) / 1_000_000) as i64
    };
    for (text, up, expected) in [
        ("now", false, "2024-03-15T10:20:30.456Z"),
        ("now-1d/d", false, "2024-03-14"),
        ("now/d", true, "2024-03-15T23:59:59.999"),
        ("now/w", false, "2024-03-11"),
        ("now/M", true, "2024-03-31T23:59:59.999"),
        ("now-1M", false, "2024-02-15T10:20:30.456"),
        ("2024-01-31||+1M", false, "2024-02-29"),
        ("2024-01-31||/y", true, "2024-12-31T23:59:59.999"),
        ("2024-01-31", true, "2024-01-31T23:59:59.999"),
        ("2024-01", true, "2024-01-01T23:59:59.999"),
        ("1709164800000", true, "2024-02-29T00:00:00.000"),
        ("now+2h-30m", false, "2024-03-15T11:50:30.456"),
    ] {
        assert_eq!(run(text, up, None), iso(expected), "{text}");
    }
    let seconds = DateFormat::get("epoch_second").expect("format");
    let up = parse_math("1400000000", &seconds, now, true, None).expect("a date");
    assert_eq!(up / 1_000_000, 1_400_000_000_999);
    assert_eq!(run("now/d", false, Some(&berlin)), iso("2024-03-14T23:00"));
    assert_eq!(run("2024-07-01", false, Some(&berlin)), iso("2024-06-30T22:00"));
    // A day of 23 hours.
    assert_eq!(run("2024-03-30T12:00||+1d", false, Some(&berlin)), iso("2024-03-31T10:00"));
    for (text, reason) in [
        ("now/2d", "rounding `/` can only be used on single unit types [/2d]"),
        ("now+1", "truncated date math [+1]"),
        ("now*1d", "operator not supported for date math [*1d]"),
        ("now+1q", "unit [q] not supported for date math [+1q]"),
    ] {
        let e = parse_math(text, &format, now, false, None).expect_err(text);
        assert_eq!((e.kind, e.reason.as_str()), ("parse_exception", reason));
    }
}

#[test]
fn nanoseconds_have_their_range() {
    let format = DateFormat::get("strict_date_optional_time").expect("format");
    assert_eq!(format.parse_nanos("1970-01-01T00:00:00.000000001Z"), Ok(1));
    assert_eq!(
        format.parse_nanos("1900-01-01").expect_err("early").reason,
        "date[1900-01-01T00:00:00Z] is before the epoch in 1970 and cannot be stored in nanosecond resolution"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(ms in -62_135_596_800_000i64..253_402_300_800_000) {
        for format in ["strict_date_optional_time", "epoch_millis", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "basic_date_time", "week_date_time", "ordinal_date_time"] {
            let compiled = DateFormat::get(format).expect("format");
            let text = compiled.print_millis(ms, &zone::UTC);
            prop_assert_eq!(compiled.parse_millis(&text), Ok(ms), "{} {}", format, text);
        }
    }

    #[test]
    fn nothing_panics(format in "[yMdHmsSEaXxZzVOGnAN'\\[\\]/:. \\-]{0,12}", text in "\\PC{0,24}") {
        if let Ok(format) = DateFormat::get(&format) {
            let _ = format.parse_millis(&text);
            let _ = format.print_millis(1, &zone::UTC);
        }
        let iso = DateFormat::get("strict_date_optional_time||epoch_millis").expect("format");
        let _ = parse_math(&text, &iso, 0, true, None);
    }
}
