//! Compiles Java's date patterns (`yyyy-MM-dd'T'HH:mm[:ss]`) and the named formats, which are written in the same language, to items.

use super::fields::Part;

/// How a number takes a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Never,
    Normal,
    /// `+` where, and only where, there are more digits than the least.
    ExceedsPad,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Literal(char),
    Number {
        part: Part,
        min: usize,
        max: usize,
        sign: Sign,
        /// Digits that the fixed numbers right behind need.
        reserve: usize,
    },
    /// Two digits of a year from 2000 on.
    ShortYear(Part),
    /// Digits of a second, with its point or comma if `point`.
    Fraction {
        min: usize,
        max: usize,
        point: bool,
    },
    Text {
        part: Part,
        long: bool,
    },
    Era,
    /// `X` to `XXXXX` (zulu) and `x` to `xxxxx`, by number of letters.
    Offset {
        letters: usize,
        zulu: bool,
    },
    /// `GMT+8`
    Localized,
    /// A zone by name or offset.
    Zone,
    Optional(Vec<Item>),
}

/// How strictly numbers of a named format are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Java's own pattern.
    Java,
    Strict,
    Lenient,
}

/// Items of `pattern`, or Java's complaint.
pub fn compile(pattern: &str, mode: Mode) -> Result<Vec<Item>, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut stack: Vec<Vec<Item>> = vec![vec![]];
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        match c {
            'a'..='z' | 'A'..='Z' => {
                let count = chars[i..].iter().take_while(|x| **x == c).count();
                let item = letter(c, count, mode)?;
                add(&mut stack, item);
                i += count;
                continue;
            }
            '\'' => {
                i = quoted(pattern, &chars, i, &mut stack)?;
                continue;
            }
            '[' => stack.push(vec![]),
            ']' => {
                let inner = stack.pop().unwrap_or_default();
                if stack.is_empty() {
                    return Err("Pattern invalid as it contains ] without previous [".to_owned());
                }
                add(&mut stack, Item::Optional(inner));
            }
            '{' | '}' | '#' => return Err(format!("Pattern includes reserved character: '{c}'")),
            // Written by the table of named formats only.
            '\u{1}' => add(&mut stack, Item::Fraction { min: 1, max: 9, point: true }),
            '\u{2}' => add(&mut stack, Item::Zone),
            _ => add(&mut stack, Item::Literal(c)),
        }
        i += 1;
    }
    // Java ends sections that are still open.
    while stack.len() > 1 {
        let inner = stack.pop().unwrap_or_default();
        add(&mut stack, Item::Optional(inner));
    }
    let mut items = stack.pop().unwrap_or_default();
    reserve(&mut items);
    Ok(items)
}

fn add(stack: &mut [Vec<Item>], item: Item) {
    if let Some(top) = stack.last_mut() {
        top.push(item);
    }
}

fn quoted(pattern: &str, chars: &[char], start: usize, stack: &mut [Vec<Item>]) -> Result<usize, String> {
    let mut i = start + 1;
    if chars.get(i) == Some(&'\'') {
        add(stack, Item::Literal('\''));
        return Ok(i + 1);
    }
    loop {
        match chars.get(i) {
            None => return Err(format!("Pattern ends with an incomplete string literal: {pattern}")),
            Some('\'') if chars.get(i + 1) == Some(&'\'') => {
                add(stack, Item::Literal('\''));
                i += 2;
            }
            Some('\'') => return Ok(i + 1),
            Some(c) => {
                add(stack, Item::Literal(*c));
                i += 1;
            }
        }
    }
}

/// Numbers of variable width leave their right neighbours of fixed width enough digits.
fn reserve(items: &mut [Item]) {
    let mut behind = 0;
    for item in items.iter_mut().rev() {
        match item {
            Item::Number { min, max, reserve, .. } if min != max => {
                *reserve = behind;
                behind = 0;
            }
            Item::Number { min, .. } => behind += *min,
            Item::Fraction { min, max, point: false } if min == max => behind += *min,
            Item::Optional(inner) => {
                self::reserve(inner);
                behind = 0;
            }
            _ => behind = 0,
        }
    }
}

fn number(part: Part, min: usize, max: usize, sign: Sign) -> Item {
    Item::Number { part, min, max, sign, reserve: 0 }
}

fn too_many(c: char) -> String {
    format!("Too many pattern letters: {c}")
}

fn letter(c: char, count: usize, mode: Mode) -> Result<Item, String> {
    Ok(match c {
        'u' => year(Part::Year, count, mode),
        'y' => year(Part::YearOfEra, count, mode),
        'Y' => year(Part::WeekYear, count, mode),
        'M' | 'L' => match count {
            1 | 2 => small(Part::Month, count, mode),
            3..=5 => Item::Text { part: Part::Month, long: count == 4 },
            _ => return Err(too_many(c)),
        },
        'E' if count <= 5 => Item::Text { part: Part::Weekday, long: count == 4 },
        'e' | 'c' => match count {
            1 | 2 => small(Part::Weekday, count, mode),
            3..=5 => Item::Text { part: Part::Weekday, long: count == 4 },
            _ => return Err(too_many(c)),
        },
        'Q' | 'q' if count <= 2 => small(Part::Quarter, count, mode),
        'a' if count == 1 => Item::Text { part: Part::AmPm, long: false },
        'G' if count <= 5 => Item::Era,
        'd' if count <= 2 => small(Part::Day, count, mode),
        'D' if count <= 3 && mode == Mode::Lenient => number(Part::DayOfYear, 1, 3, Sign::Never),
        'D' if count <= 3 => number(Part::DayOfYear, count, 3, Sign::Never),
        'w' if count <= 2 => small(Part::Week, count, mode),
        'H' if count <= 2 => small(Part::Hour, count, mode),
        'k' if count <= 2 => small(Part::ClockHour, count, mode),
        'K' if count <= 2 => small(Part::HalfHour, count, mode),
        'h' if count <= 2 => small(Part::ClockHalfHour, count, mode),
        'm' if count <= 2 => small(Part::Minute, count, mode),
        's' if count <= 2 => small(Part::Second, count, mode),
        'S' if count <= 9 => Item::Fraction { min: count, max: count, point: false },
        'n' => number(Part::Nano, count.min(19), 19, Sign::Never),
        'A' => number(Part::MilliOfDay, count.min(19), 19, Sign::Never),
        'N' => number(Part::NanoOfDay, count.min(19), 19, Sign::Never),
        'X' if count <= 5 => Item::Offset { letters: count, zulu: true },
        'x' if count <= 5 => Item::Offset { letters: count, zulu: false },
        'Z' => match count {
            1..=3 => Item::Offset { letters: 2, zulu: false },
            4 => Item::Localized,
            5 => Item::Offset { letters: 5, zulu: true },
            _ => return Err(too_many(c)),
        },
        'O' if count == 1 || count == 4 => Item::Localized,
        'O' => return Err(format!("Pattern letter count must be 1 or 4: {c}")),
        'V' if count == 2 => Item::Zone,
        'V' => return Err(format!("Pattern letter count must be 2: {c}")),
        'z' if count <= 4 => Item::Zone,
        'E' | 'a' | 'G' | 'd' | 'D' | 'w' | 'H' | 'k' | 'K' | 'h' | 'm' | 's' | 'S' | 'X' | 'x' | 'z' | 'Q' | 'q' => {
            return Err(too_many(c));
        }
        _ => return Err(format!("Unknown pattern letter: {c}")),
    })
}

fn year(part: Part, count: usize, mode: Mode) -> Item {
    if mode == Mode::Lenient {
        return number(part, 1, 9, Sign::Normal);
    }
    match count {
        2 => Item::ShortYear(part),
        1 | 3 => number(part, count, 19, Sign::Normal),
        _ => number(part, count, if mode == Mode::Strict { 10 } else { 19 }, Sign::ExceedsPad),
    }
}

fn small(part: Part, count: usize, mode: Mode) -> Item {
    match (mode, count) {
        (Mode::Lenient, _) => number(part, 1, 2, Sign::Never),
        (_, 2) => number(part, 2, 2, Sign::Never),
        (Mode::Strict, _) => number(part, 1, 1, Sign::Never),
        _ => number(part, 1, 19, Sign::Normal),
    }
}
