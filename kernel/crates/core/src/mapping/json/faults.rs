//! What is wrong with a text, in Jackson's words, and where.

use super::{JsonError, Reader, SOURCE};

impl Reader<'_> {
    pub(super) fn unexpected_close(&self, found: char) -> JsonError {
        let (expected, what) = if found == ']' { ('}', "Object") } else { (']', "Array") };
        let marker = self.open_marker().replace("(start marker at", &format!("(for {what} starting at"));
        self.error(format!("Unexpected close marker '{found}': expected '{expected}' {marker}"))
    }

    pub(super) fn unexpected(&self, c: u8, hint: &str) -> JsonError {
        let shown = self.text[self.pos..].chars().next().unwrap_or(c as char);
        self.error(format!("Unexpected character ('{shown}' (code {})): {hint}", shown as u32))
    }

    pub(super) fn bad_number(&self, hint: &str) -> JsonError {
        match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            Some(c) => self.error(format!("Unexpected character ('{c}' (code {})) in numeric value: {hint}", c as u32)),
            None => self.error("Unexpected end-of-input in a number".to_owned()),
        }
    }

    pub(super) fn bad_value(&mut self) -> JsonError {
        let rest = &self.text[self.pos..];
        let word: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '$').take(256).collect();
        const EXPECTED: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        match (rest.chars().next(), word.as_str()) {
            (Some('+'), _) => {
                self.pos += 1;
                self.error(
                    "Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to have plus signs: enable \
                     `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
                        .to_owned(),
                )
            }
            (_, "NaN") => {
                self.pos += 3;
                self.error(
                    "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow".to_owned(),
                )
            }
            (Some('}' | ']' | ','), _) => self.unexpected(b' ', "expected a value"),
            (_, "") => self.unexpected(b' ', &format!("expected a valid value {EXPECTED}")),
            _ => self.error(format!("Unrecognized token '{word}': was expecting {EXPECTED}")),
        }
    }

    /// `message` with line and column, as Jackson words it.
    pub fn error(&self, message: String) -> JsonError {
        let pos = self.pos.min(self.text.len());
        let before = &self.text.as_bytes()[..pos];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = pos - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
        JsonError { message: format!("{message}\n at [Source: {SOURCE}; line: {line}, column: {column}]") }
    }

    /// As [`Reader::error`], at the end of the member name that was just read.
    pub fn error_before_colon(&mut self, message: String) -> JsonError {
        let end = self.text[..self.pos].trim_end_matches(':').trim_end().len();
        self.pos = end;
        self.error(message)
    }

    /// Where the innermost open object or array starts, for the message about its missing end.
    pub(super) fn open_marker(&self) -> String {
        let mut open = vec![];
        let (mut quoted, mut escaped) = (false, false);
        for (at, b) in self.text.bytes().enumerate().take(self.pos) {
            match b {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => open.push(at),
                b'}' | b']' if !quoted => {
                    open.pop();
                }
                _ => {}
            }
        }
        let (line, column) = self.location(open.last().copied().unwrap_or(0));
        format!("(start marker at [Source: {SOURCE}; line: {line}, column: {column}])")
    }

    /// Line and column of a byte offset, as `1:6`.
    pub fn location(&self, pos: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        (line, pos - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1)
    }
}
