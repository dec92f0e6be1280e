//! The fast path: `strict_date_optional_time`, read byte by byte.

use super::fields::{Fields, NANOS, Part, Zone};

/// Parses `yyyy[-MM[-dd['T'HH[:mm[:ss[.SSSSSSSSS]]][zone]]]]`. None: not of this form, or a part out of its range.
pub fn parse(text: &str) -> Option<Fields> {
    let mut at = Cursor { bytes: text.as_bytes(), pos: 0 };
    let mut fields = Fields::default();
    fields.set(Part::Year, at.year()?);
    if at.eat(b'-') {
        fields.set(Part::Month, at.two(1, 12)?);
        if at.eat(b'-') {
            fields.set(Part::Day, at.two(1, 31)?);
        }
    }
    if at.eat(b'T') {
        fields.get(Part::Day)?;
        if at.done() {
            return Some(fields);
        }
        time(&mut at, &mut fields)?;
    }
    at.done().then_some(fields)
}

fn time(at: &mut Cursor<'_>, fields: &mut Fields) -> Option<()> {
    fields.set(Part::Hour, at.two(0, 23)?);
    if at.eat(b':') {
        fields.set(Part::Minute, at.two(0, 59)?);
        if at.eat(b':') {
            fields.set(Part::Second, at.two(0, 59)?);
            if at.eat(b'.') || at.eat(b',') {
                fields.set(Part::Nano, at.fraction()?);
            }
        }
    }
    if !at.done() {
        fields.zone = Some(at.zone()?);
    }
    Some(())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl Cursor<'_> {
    fn done(&self) -> bool {
        self.pos == self.bytes.len()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.pos) == Some(&byte);
        self.pos += usize::from(found);
        found
    }

    #[inline]
    fn digit(&mut self) -> Option<u32> {
        let d = self.bytes.get(self.pos).filter(|b| b.is_ascii_digit())? - b'0';
        self.pos += 1;
        Some(u32::from(d))
    }

    #[inline]
    fn two(&mut self, low: i64, high: i64) -> Option<i64> {
        let value = i64::from(self.digit()? * 10 + self.digit()?);
        (low..=high).contains(&value).then_some(value)
    }

    /// Four digits; more, up to nine, only behind a sign.
    fn year(&mut self) -> Option<i64> {
        let negative = self.bytes.first() == Some(&b'-');
        let signed = negative || self.bytes.first() == Some(&b'+');
        self.pos += usize::from(signed);
        let start = self.pos;
        let mut year = 0i64;
        while self.pos - start < 9 {
            match self.digit() {
                Some(d) => year = year * 10 + i64::from(d),
                None => break,
            }
        }
        match self.pos - start {
            4 if !signed || negative => {}
            5.. if signed => {}
            _ => return None,
        }
        Some(if negative { -year } else { year })
    }

    fn fraction(&mut self) -> Option<i64> {
        let mut nano = i64::from(self.digit()?) * (NANOS as i64 / 10);
        let mut unit = NANOS as i64 / 10;
        while unit > 1 {
            let Some(d) = self.digit() else { break };
            unit /= 10;
            nano += i64::from(d) * unit;
        }
        Some(nano)
    }

    fn zone(&mut self) -> Option<Zone> {
        if self.eat(b'Z') {
            return Some(Zone::Fixed(0));
        }
        let rest = std::str::from_utf8(&self.bytes[self.pos..]).ok()?;
        let zone = match rest.as_bytes().first()? {
            b'+' | b'-' => {
                // One-digit hours are not strict.
                (rest.len() > 2).then(|| super::zone::parse_offset(rest))?.map(Zone::Fixed)
            }
            _ => super::zone::parse(rest.strip_prefix('[').and_then(|r| r.strip_suffix(']')).unwrap_or(rest)),
        };
        self.pos = self.bytes.len();
        zone
    }
}
