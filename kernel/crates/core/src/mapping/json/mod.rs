//! A pull parser over JSON bytes: borrows strings, keeps numbers as they were written, allocates only for escapes.
//!
//! Documents are walked once, straight into index values; a tree of `serde_json::Value` would cost more than the walk itself.
//! The sentences of the errors are those that OpenSearch's users know.

mod faults;
mod strings;

use std::borrow::Cow;

/// One value or the opening of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    ObjectStart,
    ArrayStart,
    Str(Cow<'a, str>),
    /// As written.
    Num(&'a str),
    Bool(bool),
    Null,
}

/// What is wrong with the text, ready for `json_parse_exception`.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonError {
    pub message: String,
}

pub type JsonResult<T> = Result<T, JsonError>;

/// Nesting beyond this is refused before the stack is in danger.
pub const MAX_NESTING: u32 = 1000;

/// What Jackson says of a source that it does not show.
pub const SOURCE: &str = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

pub struct Reader<'a> {
    text: &'a str,
    pos: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, pos: 0, depth: 0 }
    }

    /// Byte offset of what comes next.
    pub fn pos(&self) -> usize {
        self.pos
    }

    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub fn skip_ws(&mut self) {
        let bytes = self.bytes();
        while self.pos < bytes.len() && matches!(bytes[self.pos], b' ' | b'\n' | b'\r' | b'\t') {
            self.pos += 1;
        }
    }

    /// The next byte that is not white space.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        self.skip_ws();
        self.bytes().get(self.pos).copied()
    }

    /// The next value; for objects and arrays its opening, after which `next_key` and `next_item` take over.
    #[inline]
    pub fn value(&mut self) -> JsonResult<Token<'a>> {
        match self.peek() {
            Some(b'"') => Ok(Token::Str(self.string()?)),
            Some(b'{') => {
                self.open()?;
                Ok(Token::ObjectStart)
            }
            Some(b'[') => {
                self.open()?;
                Ok(Token::ArrayStart)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Num),
            Some(b't') if self.literal("true") => Ok(Token::Bool(true)),
            Some(b'f') if self.literal("false") => Ok(Token::Bool(false)),
            Some(b'n') if self.literal("null") => Ok(Token::Null),
            Some(_) => Err(self.bad_value()),
            None if self.depth == 0 => Err(self.error("Unexpected end-of-input".to_owned())),
            None => Err(self.error("Unexpected end-of-input within/between Object entries".to_owned())),
        }
    }

    fn open(&mut self) -> JsonResult<()> {
        self.pos += 1;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            let depth = self.depth;
            return Err(self.error(format!(
                "Document nesting depth ({depth}) exceeds the maximum allowed ({MAX_NESTING}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)"
            )));
        }
        Ok(())
    }

    /// The next member name of the open object, or None at its end. `first` is true before the first member.
    #[inline]
    pub fn next_key(&mut self, first: &mut bool) -> JsonResult<Option<Cow<'a, str>>> {
        match self.peek() {
            Some(b'}') => {
                self.close();
                return Ok(None);
            }
            Some(b',') if !*first => {
                self.pos += 1;
                self.skip_ws();
            }
            Some(b']') => return Err(self.unexpected_close(']')),
            Some(c) if !*first => return Err(self.unexpected(c, "was expecting comma to separate Object entries")),
            None => {
                return Err(self.error(format!(
                    "Unexpected end-of-input: expected close marker for Object {}",
                    self.open_marker()
                )));
            }
            _ => {}
        }
        *first = false;
        match self.bytes().get(self.pos) {
            Some(b'"') => {}
            Some(&c) => return Err(self.unexpected(c, "was expecting double-quote to start field name")),
            None => return Err(self.error("Unexpected end-of-input within/between Object entries".to_owned())),
        }
        let key = self.string()?;
        match self.peek() {
            Some(b':') => self.pos += 1,
            Some(c) => return Err(self.unexpected(c, "was expecting a colon to separate field name and value")),
            None => return Err(self.error("Unexpected end-of-input within/between Object entries".to_owned())),
        }
        Ok(Some(key))
    }

    /// Whether the open array has a further item.
    #[inline]
    pub fn next_item(&mut self, first: &mut bool) -> JsonResult<bool> {
        match self.peek() {
            Some(b']') => {
                self.close();
                Ok(false)
            }
            Some(b',') if !*first => {
                self.pos += 1;
                Ok(true)
            }
            Some(c) if *first && c != b'}' => {
                *first = false;
                Ok(true)
            }
            Some(b'}') => Err(self.unexpected_close('}')),
            Some(c) => Err(self.unexpected(c, "was expecting comma to separate Array entries")),
            None => {
                Err(self
                    .error(format!("Unexpected end-of-input: expected close marker for Array {}", self.open_marker())))
            }
        }
    }

    fn close(&mut self) {
        self.pos += 1;
        self.depth -= 1;
    }

    /// Reads the rest of the value that `token` began.
    pub fn skip_rest(&mut self, token: &Token<'a>) -> JsonResult<()> {
        let mut first = true;
        match token {
            Token::ObjectStart => {
                while self.next_key(&mut first)?.is_some() {
                    self.skip_value()?;
                }
            }
            Token::ArrayStart => {
                while self.next_item(&mut first)? {
                    self.skip_value()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub fn skip_value(&mut self) -> JsonResult<()> {
        let token = self.value()?;
        self.skip_rest(&token)
    }

    fn literal(&mut self, word: &str) -> bool {
        let bytes = self.bytes();
        let end = self.pos + word.len();
        let found = bytes.get(self.pos..end) == Some(word.as_bytes())
            && !bytes.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
        if found {
            self.pos = end;
        }
        found
    }

    fn number(&mut self) -> JsonResult<&'a str> {
        let bytes = self.bytes();
        let start = self.pos;
        let mut i = start + usize::from(bytes[start] == b'-');
        let digits = |mut i: usize| {
            let from = i;
            while i < bytes.len() && bytes[i].is_ascii_digit() {
                i += 1;
            }
            (i, i > from)
        };
        let int_from = i;
        let (after_int, some) = digits(i);
        i = after_int;
        if !some {
            self.pos = i;
            return Err(self.bad_number("expected digit (0-9) to follow minus sign, for valid numeric value"));
        }
        if bytes[int_from] == b'0' && i > int_from + 1 {
            self.pos = int_from + 1;
            return Err(self.error("Invalid numeric value: Leading zeroes not allowed".to_owned()));
        }
        if bytes.get(i) == Some(&b'.') {
            let (end, some) = digits(i + 1);
            i = end;
            if !some {
                self.pos = i;
                return Err(self.bad_number("Decimal point not followed by a digit"));
            }
        }
        if let Some(b'e' | b'E') = bytes.get(i) {
            let sign = usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-')));
            let (end, some) = digits(i + 1 + sign);
            i = end;
            if !some {
                self.pos = i;
                return Err(self.bad_number("Exponent indicator not followed by a digit"));
            }
        }
        self.pos = i;
        if bytes.get(i).is_some_and(|c| !matches!(c, b' ' | b'\n' | b'\r' | b'\t' | b',' | b']' | b'}')) {
            return Err(self.bad_number("Expected space separating root-level values"));
        }
        Ok(&self.text[start..i])
    }

    /// Nothing but white space may follow the root value.
    #[cfg(test)]
    pub fn end(&mut self) -> JsonResult<()> {
        match self.peek() {
            None => Ok(()),
            Some(c) => Err(self.unexpected(c, "expected end of input")),
        }
    }
}

#[cfg(test)]
mod tests;
