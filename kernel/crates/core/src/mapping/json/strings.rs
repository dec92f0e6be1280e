//! Strings and their escapes.

use std::borrow::Cow;

use super::{JsonError, JsonResult, Reader};

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn string(&mut self) -> JsonResult<Cow<'a, str>> {
        let start = self.pos + 1;
        let end = self.string_end(start)?;
        if self.bytes()[end] == b'"' {
            self.pos = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.escaped_string(start, end).map(Cow::Owned)
    }

    /// Offset of the first quote or backslash from `i` on.
    #[inline]
    fn string_end(&mut self, mut i: usize) -> JsonResult<usize> {
        let bytes = self.bytes();
        while let Some(chunk) = bytes.get(i..i + 8) {
            if has_special(u64::from_le_bytes(chunk.try_into().expect("eight bytes"))) {
                break;
            }
            i += 8;
        }
        while let Some(&c) = bytes.get(i) {
            if c == b'"' || c == b'\\' {
                return Ok(i);
            }
            if c < 0x20 {
                self.pos = i;
                return Err(self.error(format!(
                    "Illegal unquoted character ((CTRL-CHAR, code {c})): has to be escaped using backslash to be included in string value"
                )));
            }
            i += 1;
            // Back to eight at a time after the odd byte that stopped it.
            if i.is_multiple_of(64) {
                while let Some(chunk) = bytes.get(i..i + 8) {
                    if has_special(u64::from_le_bytes(chunk.try_into().expect("eight bytes"))) {
                        break;
                    }
                    i += 8;
                }
            }
        }
        self.pos = bytes.len();
        Err(self.error("Unexpected end-of-input in VALUE_STRING".to_owned()))
    }

    #[cold]
    fn escaped_string(&mut self, start: usize, first_escape: usize) -> JsonResult<String> {
        let mut out = String::with_capacity((first_escape - start) * 2 + 16);
        out.push_str(&self.text[start..first_escape]);
        let mut i = first_escape;
        loop {
            if self.bytes()[i] == b'"' {
                self.pos = i + 1;
                return Ok(out);
            }
            i = self.escape(i + 1, &mut out)?;
            let end = self.string_end(i)?;
            out.push_str(&self.text[i..end]);
            i = end;
        }
    }

    /// Decodes the escape whose letter stands at `i`; returns the offset after it.
    fn escape(&mut self, i: usize, out: &mut String) -> JsonResult<usize> {
        let c = match self.bytes().get(i) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(i + 1, out),
            _ => {
                self.pos = i.min(self.text.len());
                return Err(self.bad_escape());
            }
        };
        out.push(c);
        Ok(i + 1)
    }

    fn unicode_escape(&mut self, i: usize, out: &mut String) -> JsonResult<usize> {
        let first = self.hex4(i)?;
        let next = i + 4;
        if (0xD800..0xDC00).contains(&first) && self.bytes().get(next..next + 2) == Some(b"\\u") {
            let second = self.hex4(next + 2)?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                out.push(char::from_u32(code).unwrap_or('\u{FFFD}'));
                return Ok(next + 6);
            }
        }
        // A lone surrogate has no UTF-8 form; Lucene writes the replacement character too.
        out.push(char::from_u32(first).unwrap_or('\u{FFFD}'));
        Ok(next)
    }

    fn bad_escape(&self) -> JsonError {
        match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            Some(c) => self.error(format!("Unrecognized character escape '{c}' (code {})", c as u32)),
            None => self.error("Unexpected end-of-input in character escape sequence".to_owned()),
        }
    }

    fn hex4(&mut self, i: usize) -> JsonResult<u32> {
        let mut code = 0;
        for at in i..i + 4 {
            let digit = self.bytes().get(at).and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else {
                self.pos = at.min(self.text.len());
                return Err(match self.text.get(at..).and_then(|rest| rest.chars().next()) {
                    Some(c) => self.unexpected(c as u8, "expected a hex-digit for character escape sequence"),
                    None => self.error("Unexpected end-of-input in character escape sequence".to_owned()),
                });
            };
            code = code * 16 + digit;
        }
        Ok(code)
    }
}

/// Whether any of eight bytes is a quote, a backslash or a control character.
#[inline]
fn has_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    (zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64)) | control) != 0
}
