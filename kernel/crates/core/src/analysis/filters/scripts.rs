//! Spelling normalizers of scripts that write one word in several ways: Arabic, Bengali, Devanagari, Indic in general, Persian, Romanian,
//! Serbian, Sorani.

use std::sync::LazyLock;

/// Rewrites letters one by one: what `change` answers stands for the letter; None keeps it.
fn each(term: &str, change: impl Fn(char) -> Option<&'static str>) -> Option<String> {
    let mut out = String::with_capacity(term.len());
    for c in term.chars() {
        match change(c) {
            Some(instead) => out.push_str(instead),
            None => out.push(c),
        }
    }
    (out != term).then_some(out)
}

/// Tatweel and the marks of short vowels.
fn is_arabic_mark(c: char) -> bool {
    matches!(c, '\u{640}' | '\u{64B}'..='\u{652}')
}

pub fn arabic(term: &str) -> Option<String> {
    each(term, |c| match c {
        '\u{622}' | '\u{623}' | '\u{625}' => Some("\u{627}"),
        '\u{649}' => Some("\u{64A}"),
        '\u{629}' => Some("\u{647}"),
        c if is_arabic_mark(c) => Some(""),
        _ => None,
    })
}

pub fn persian(term: &str) -> Option<String> {
    each(term, |c| match c {
        '\u{6CC}' | '\u{6D2}' => Some("\u{64A}"),
        '\u{6A9}' => Some("\u{643}"),
        '\u{6C0}' | '\u{6C1}' => Some("\u{647}"),
        '\u{654}' => Some(""),
        _ => None,
    })
}

pub fn romanian(term: &str) -> Option<String> {
    each(term, |c| match c {
        '\u{15E}' => Some("\u{218}"),
        '\u{15F}' => Some("\u{219}"),
        '\u{162}' => Some("\u{21A}"),
        '\u{163}' => Some("\u{21B}"),
        _ => None,
    })
}

/// Cyrillic and Latin with marks to bald Latin, in lower case.
pub fn serbian(term: &str) -> Option<String> {
    const LETTERS: &str =
        "аa бb вv гg дd ђdj đdj еe жz зz žz иi јj кk лl љlj мm нn њnj оo пp рr сs тt ћc цc чc čc ćc уu фf хh џdz шs šs";
    each(term, |c| LETTERS.split(' ').find_map(|pair| pair.strip_prefix(c)))
}

pub fn sorani(term: &str) -> Option<String> {
    const HEH: char = '\u{647}';
    const AE: char = '\u{6D5}';
    const RREH: char = '\u{695}';
    let mut out: Vec<char> = Vec::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\u{64A}' | '\u{649}' => '\u{6CC}',
            '\u{643}' => '\u{6A9}',
            '\u{200C}' => {
                if let Some(last) = out.last_mut().filter(|last| **last == HEH) {
                    *last = AE;
                }
                continue;
            }
            HEH if chars.peek().is_none() => AE,
            '\u{629}' => AE,
            '\u{6BE}' => HEH,
            '\u{631}' if out.is_empty() => RREH,
            '\u{692}' => RREH,
            c if is_arabic_mark(c) || is_format(c) => continue,
            other => other,
        });
    }
    let out: String = out.into_iter().collect();
    (out != term).then_some(out)
}

/// The general category Cf.
fn is_format(c: char) -> bool {
    static FORMAT: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"^\p{Cf}$").expect("a fixed pattern"));
    !c.is_ascii() && FORMAT.is_match(c.encode_utf8(&mut [0; 4]))
}

pub fn hindi(term: &str) -> Option<String> {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\u{928}' if chars.next_if_eq(&'\u{94D}').is_some() => '\u{902}',
            '\u{901}' => '\u{902}',
            '\u{93C}' | '\u{200C}' | '\u{200D}' | '\u{94D}' => continue,
            '\u{929}' => '\u{928}',
            '\u{931}' => '\u{930}',
            '\u{934}' => '\u{933}',
            '\u{958}' => '\u{915}',
            '\u{959}' => '\u{916}',
            '\u{95A}' => '\u{917}',
            '\u{95B}' => '\u{91C}',
            '\u{95C}' => '\u{921}',
            '\u{95D}' => '\u{922}',
            '\u{95E}' => '\u{92B}',
            '\u{95F}' => '\u{92F}',
            '\u{945}' | '\u{946}' | '\u{948}' => '\u{947}',
            '\u{949}' | '\u{94A}' | '\u{94C}' => '\u{94B}',
            '\u{90D}' | '\u{90E}' | '\u{910}' => '\u{90F}',
            '\u{911}' | '\u{912}' | '\u{914}' => '\u{913}',
            '\u{972}' | '\u{906}' => '\u{905}',
            '\u{908}' => '\u{907}',
            '\u{90A}' => '\u{909}',
            '\u{960}' => '\u{90B}',
            '\u{961}' => '\u{90C}',
            '\u{940}' => '\u{93F}',
            '\u{942}' => '\u{941}',
            '\u{944}' => '\u{943}',
            '\u{963}' => '\u{962}',
            other => other,
        });
    }
    (out != term).then_some(out)
}

/// By sound, after "A Double Metaphone encoding for Bangla". A letter may change those before it, so the word is edited in place.
pub fn bengali(term: &str) -> Option<String> {
    const VIRAMA: char = '\u{9CD}';
    let mut w: Vec<char> = term.chars().collect();
    let mut i = 0;
    while i < w.len() {
        let after_virama = i > 0 && w[i - 1] == VIRAMA;
        // Where to go on.
        let mut next = i + 1;
        match w[i] {
            '\u{981}' => {
                w.remove(i);
                next = i;
            }
            '\u{9C0}' => w[i] = '\u{9BF}',
            '\u{9C2}' => w[i] = '\u{9C1}',
            '\u{995}' if w.get(i + 1) == Some(&VIRAMA) && w.get(i + 2) == Some(&'\u{9BF}') => {
                if i == 0 {
                    w[i] = '\u{996}';
                    w.drain(i + 1..=i + 2);
                } else {
                    w[i + 1] = '\u{996}';
                    w.remove(i + 2);
                }
            }
            '\u{999}' => w[i] = '\u{982}',
            '\u{9AF}' if i == 2 && after_virama => {
                w[i - 1] = '\u{9C7}';
                if w.get(i + 1) == Some(&'\u{9BE}') {
                    w.remove(i + 1);
                }
                w.remove(i);
                next = i;
            }
            '\u{9AF}' if after_virama => {
                w.drain(i - 1..=i);
                next = i - 1;
            }
            '\u{9AC}' if after_virama && (i == 2 || (i >= 5 && w[i - 3] == VIRAMA)) => {
                w.drain(i - 1..=i);
                next = i - 1;
            }
            '\u{9AC}' if after_virama && i > 2 => {
                w[i - 1] = w[i - 2];
                w.remove(i);
                next = i;
            }
            '\u{983}' if i + 1 < w.len() => w[i] = w[i + 1],
            '\u{983}' if w.len() <= 3 => w[i] = '\u{9B9}',
            '\u{983}' => drop(w.remove(i)),
            '\u{9B6}' | '\u{9B7}' => w[i] = '\u{9B8}',
            '\u{9A3}' => w[i] = '\u{9A8}',
            '\u{9DC}' | '\u{9DD}' => w[i] = '\u{9B0}',
            '\u{9CE}' => w[i] = '\u{9A4}',
            _ => {}
        }
        i = next;
    }
    let out: String = w.into_iter().collect();
    (out != term).then_some(out)
}

/// Letters written as two or three, within one script: offsets of the parts (`-`: there is no third, `ff`: a zero-width joiner) and of the
/// whole from the start of the script's block, and the scripts that it holds for by their letters in `SCRIPTS`.
const COMPOSED: &str = "05 3e 45 11 dj, 05 3e 46 12 d, 05 3e 47 13 dj, 05 3e 48 14 dj, 05 3e - 06 dbgjo, 05 45 - 72 d, 05 45 - 0d j, \
     05 46 - 04 d, 05 47 - 0f j, 05 48 - 10 gj, 05 49 - 11 dj, 05 4a - 12 d, 05 4b - 13 dj, 05 4c - 14 dgj, 06 45 - 11 dj, \
     06 46 - 12 d, 06 47 - 13 dj, 06 48 - 14 dj, 07 57 - 08 m, 09 41 - 0a d, 09 57 - 0a tm, 0e 46 - 10 m, 0f 45 - 0d d, \
     0f 46 - 0e d, 0f 47 - 10 d, 0f 57 - 10 o, 12 3e - 13 m, 12 4c - 14 ek, 12 55 - 13 e, 12 57 - 14 tm, 13 57 - 14 o, \
     15 3c - 58 d, 16 3c - 59 dg, 17 3c - 5a dg, 1c 3c - 5b dg, 21 3c - 5c dbo, 22 3c - 5d dbo, 23 4d ff 7a m, \
     24 4d ff 4e b, 28 3c - 29 d, 28 4d ff 7b m, 2b 3c - 5e dg, 2f 3c - 5f db, 2c 41 41 0b e, 30 3c - 31 d, 30 4d ff 7c m, \
     32 4d ff 7d m, 33 3c - 34 d, 33 4d ff 7e m, 35 41 - 2e e, 3e 45 - 49 dj, 3e 46 - 4a d, 3e 47 - 4b dj, 3e 48 - 4c dj, \
     3f 55 - 40 k, 41 41 - 42 g, 46 3e - 4a tm, 46 42 55 4b k, 46 42 - 4a k, 46 46 - 48 m, 46 55 - 47 ek, 46 56 - 48 ek, \
     46 57 - 4c tm, 47 3e - 4b botm, 47 57 - 4c bo, 4a 55 - 4b k, 72 3f - 07 g, 72 40 - 08 g, 72 47 - 0f g, 73 41 - 09 g, \
     73 42 - 0a g, 73 4b - 13 g";

/// Devanagari, Bengali, Gurmukhi, Gujarati, Oriya, Tamil, Telugu, Kannada, Malayalam: each block has 128 places.
const SCRIPTS: &str = "dbgjotekm";

type Composition = (u32, u32, Option<u32>, u32, &'static str);

pub fn indic(term: &str) -> Option<String> {
    static TABLE: LazyLock<Vec<Composition>> = LazyLock::new(|| {
        let hex = |text: Option<&str>| u32::from_str_radix(text.unwrap_or("-"), 16).ok();
        COMPOSED
            .split(", ")
            .filter_map(|row| {
                let mut parts = row.split(' ');
                let (first, second) = (hex(parts.next())?, hex(parts.next())?);
                let third = hex(parts.next());
                Some((first, second, third, hex(parts.next())?, parts.next()?))
            })
            .collect()
    });
    let mut w: Vec<char> = term.chars().collect();
    let mut i = 0;
    while i + 1 < w.len() {
        if let Some(block) = block(w[i]).filter(|at| block(w[i + 1]) == Some(*at)) {
            let base = 0x900 + block as u32 * 128;
            let third = w.get(i + 2).and_then(|c| match c {
                '\u{200D}' => Some(0xff),
                c => (self::block(*c) == Some(block)).then(|| *c as u32 - base),
            });
            let fits = |(one, two, three, _, scripts): &&Composition| {
                base + one == w[i] as u32
                    && base + two == w[i + 1] as u32
                    && (three.is_none() || *three == third)
                    && scripts.as_bytes().contains(&SCRIPTS.as_bytes()[block])
            };
            if let Some((_, _, three, whole, _)) = TABLE.iter().find(fits) {
                w[i] = char::from_u32(base + whole).unwrap_or(w[i]);
                w.drain(i + 1..i + 2 + usize::from(three.is_some()));
            }
        }
        i += 1;
    }
    let out: String = w.into_iter().collect();
    (out != term).then_some(out)
}

/// The number of the script in `SCRIPTS`.
fn block(c: char) -> Option<usize> {
    (0x900..0xD80).contains(&(c as u32)).then(|| (c as usize - 0x900) / 128)
}
