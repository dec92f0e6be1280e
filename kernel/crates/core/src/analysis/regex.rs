//! Java's regular expressions on Rust's engines.

use std::fmt::Write;

use fancy_regex::Regex;

use crate::{Error, Result};

/// Compiles a Java pattern with flags such as `CASE_INSENSITIVE|DOTALL`.
pub fn compile(pattern: &str, flags: Option<&str>) -> Result<Regex> {
    let mut inline = String::new();
    let mut literal = false;
    for flag in flags.unwrap_or("").split('|').map(str::trim).filter(|f| !f.is_empty()) {
        match flag.to_ascii_uppercase().as_str() {
            "CASE_INSENSITIVE" => inline.push('i'),
            "MULTILINE" => inline.push('m'),
            "DOTALL" => inline.push('s'),
            "COMMENTS" => inline.push('x'),
            "LITERAL" => literal = true,
            "UNICODE_CASE" | "CANON_EQ" | "UNIX_LINES" | "UNICODE_CHAR_CLASS" | "UNICODE_CHARACTER_CLASS" => {}
            _ => return Err(Error::illegal_argument(format!("Unknown regex flag [{flag}]"))),
        }
    }
    let body = if literal { fancy_regex::escape(pattern).into_owned() } else { translate(pattern) };
    let whole = if inline.is_empty() { body } else { format!("(?{inline}){body}") };
    fancy_regex::RegexBuilder::new(&whole)
        .backtrack_limit(1_000_000)
        .delegate_size_limit(10_000_000)
        .build()
        .map_err(|e| Error::new("pattern_syntax_exception", 400, format!("{e}: {pattern}")))
}

/// Java's classes are ASCII, Rust's are Unicode; quoting and POSIX names differ.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut depth = 0usize;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Q') => quote(&mut chars, &mut out),
                Some(escape) => class_escape(escape, depth > 0, &mut chars, &mut out),
                None => out.push('\\'),
            },
            '[' => {
                depth += 1;
                out.push('[');
                if depth == 1 && chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' => {
                depth = depth.saturating_sub(1);
                out.push(']');
            }
            _ => out.push(c),
        }
    }
    out
}

fn quote(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let mut literal = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            break;
        }
        literal.push(c);
    }
    out.push_str(&fancy_regex::escape(&literal));
}

fn class_escape(escape: char, inside: bool, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let (body, negated) = match escape {
        'w' => ("a-zA-Z0-9_", false),
        'W' => ("a-zA-Z0-9_", true),
        'd' => ("0-9", false),
        'D' => ("0-9", true),
        's' => (r" \t\n\x0B\x0C\r", false),
        'S' => (r" \t\n\x0B\x0C\r", true),
        'h' => (r" \t\xA0\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}", false),
        'R' if !inside => {
            out.push_str(r"(?:\r\n|[\n\x0B\x0C\r\u{85}\u{2028}\u{2029}])");
            return;
        }
        'Z' if !inside => {
            out.push_str(r"(?=\n?\z)");
            return;
        }
        'p' | 'P' => return property(escape == 'P', inside, chars, out),
        'u' => {
            let hex: String = chars.by_ref().take(4).collect();
            let _ = write!(out, "\\u{{{hex}}}");
            return;
        }
        _ => {
            out.push('\\');
            out.push(escape);
            return;
        }
    };
    push_class(body, negated, inside, out);
}

fn push_class(body: &str, negated: bool, inside: bool, out: &mut String) {
    let _ = match (negated, inside) {
        (true, _) => write!(out, "[^{body}]"),
        (false, true) => write!(out, "{body}"),
        (false, false) => write!(out, "[{body}]"),
    };
}

fn property(negated: bool, inside: bool, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let mut name = String::new();
    match chars.next() {
        Some('{') => name.extend(chars.by_ref().take_while(|c| *c != '}')),
        Some(c) => name.push(c),
        None => {}
    }
    let posix = match name.as_str() {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => r##"!"#$%&'()*+,\-./:;<=>?@\[\\\]\^_`{|}~"##,
        "Graph" => r"\x21-\x7E",
        "Print" => r"\x20-\x7E",
        "Blank" => r" \t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r" \t\n\x0B\x0C\r",
        _ => {
            let plain = match name.as_str() {
                "javaLowerCase" => "Lowercase",
                "javaUpperCase" => "Uppercase",
                "javaWhitespace" => "White_Space",
                "L1" => "L",
                other => other.strip_prefix("Is").or_else(|| other.strip_prefix("In")).unwrap_or(other),
            };
            let _ = write!(out, "\\{}{{{plain}}}", if negated { 'P' } else { 'p' });
            return;
        }
    };
    push_class(posix, negated, inside, out);
}

/// Expands Java's `$1`, `${name}` and `\$` of a replacement.
pub fn expand(template: &str, captures: &fancy_regex::Captures<'_>, out: &mut String) {
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                out.push_str(captures.name(&name).map_or("", |m| m.as_str()));
            }
            '$' => {
                let Some(first) = chars.next_if(char::is_ascii_digit) else {
                    out.push('$');
                    continue;
                };
                let mut group = first as usize - '0' as usize;
                // More digits belong to it as long as there is such a group.
                while let Some(d) = chars.peek().and_then(|d| d.to_digit(10)) {
                    let wider = group * 10 + d as usize;
                    if wider >= captures.len() {
                        break;
                    }
                    group = wider;
                    chars.next();
                }
                out.push_str(captures.get(group).map_or("", |m| m.as_str()));
            }
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pattern: &str, text: &str) -> Vec<String> {
        let re = compile(pattern, None).expect(pattern);
        re.find_iter(text).map(|m| m.expect("match").as_str().to_owned()).collect()
    }

    #[test]
    fn java_classes() {
        assert_eq!(all(r"\w+", "äb_1 c"), ["b_1", "c"]);
        assert_eq!(all(r"[\w-]+", "a-b ä"), ["a-b"]);
        assert_eq!(all(r"[^\w\s]", "a ä"), ["ä"]);
        assert_eq!(all(r"\p{Lu}\p{Lower}", "Ab Äb"), ["Ab", "Äb"]);
        assert_eq!(all(r"\Qa.b\E+", "a.bb axb"), ["a.bb"]);
        assert_eq!(all(r"(?<=a)b(?!c)", "abc ab"), ["b"]);
        assert!(compile("(", None).is_err());
        assert!(compile("a.b", Some("CASE_INSENSITIVE|LITERAL")).expect("re").is_match("xA.B").expect("runs"));
    }

    #[test]
    fn replacements() {
        let re = compile("(a)(b)?", None).expect("re");
        let captures = re.captures("ab").expect("ok").expect("match");
        let mut out = String::new();
        expand(r"$2$1\$-$10", &captures, &mut out);
        assert_eq!(out, "ba$-a0");
    }
}
