//! Porter's stemmer as Lucene has it: the algorithm of 1980 with the later departures (`bli`, `logi`).

/// Stems words one after the other, in one buffer.
#[derive(Default)]
pub struct Porter {
    /// One byte per character; what is not ASCII counts as a consonant.
    b: Vec<u8>,
}

const OTHER: u8 = 0x80;

impl Porter {
    /// Characters of the word that stay, and the letters behind them; None: the word is its own stem.
    pub fn stem(&mut self, word: &str) -> Option<(usize, &str)> {
        self.b.clear();
        if word.is_ascii() {
            self.b.extend_from_slice(word.as_bytes());
        } else {
            self.b.extend(word.chars().map(|c| if c.is_ascii() { c as u8 } else { OTHER }));
        }
        let before = self.b.len();
        if before <= 2 {
            return None;
        }
        self.step1ab();
        self.step1c();
        self.suffixes(&STEP2);
        self.suffixes(&STEP3);
        self.step4();
        self.step5();
        let same = word.chars().zip(&self.b).take_while(|(c, b)| **b == OTHER || *c == char::from(**b)).count();
        if same == before {
            return None;
        }
        std::str::from_utf8(&self.b[same..]).ok().map(|ending| (same, ending))
    }
}

/// (ending, what stands instead); the first ending that fits decides.
type Rules = [(&'static [u8], &'static [u8])];

const STEP2: [(&[u8], &[u8]); 21] = [
    (b"ational", b"ate"),
    (b"tional", b"tion"),
    (b"enci", b"ence"),
    (b"anci", b"ance"),
    (b"izer", b"ize"),
    (b"bli", b"ble"),
    (b"alli", b"al"),
    (b"entli", b"ent"),
    (b"eli", b"e"),
    (b"ousli", b"ous"),
    (b"ization", b"ize"),
    (b"ation", b"ate"),
    (b"ator", b"ate"),
    (b"alism", b"al"),
    (b"iveness", b"ive"),
    (b"fulness", b"ful"),
    (b"ousness", b"ous"),
    (b"aliti", b"al"),
    (b"iviti", b"ive"),
    (b"biliti", b"ble"),
    (b"logi", b"log"),
];

const STEP3: [(&[u8], &[u8]); 7] = [
    (b"icate", b"ic"),
    (b"ative", b""),
    (b"alize", b"al"),
    (b"iciti", b"ic"),
    (b"ical", b"ic"),
    (b"ful", b""),
    (b"ness", b""),
];

const STEP4: [&[u8]; 18] = [
    b"al", b"ance", b"ence", b"er", b"ic", b"able", b"ible", b"ant", b"ement", b"ment", b"ent", b"ou", b"ism", b"ate",
    b"iti", b"ous", b"ive", b"ize",
];

impl Porter {
    fn consonant(&self, i: usize) -> bool {
        match self.b[i] {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => i == 0 || !self.consonant(i - 1),
            _ => true,
        }
    }

    /// Number of vowel-consonant sequences in the first `len` letters.
    fn measure(&self, len: usize) -> usize {
        let mut count = 0;
        let mut after_vowel = false;
        for i in 0..len {
            let consonant = self.consonant(i);
            count += usize::from(consonant && after_vowel);
            after_vowel = !consonant;
        }
        count
    }

    fn has_vowel(&self, len: usize) -> bool {
        (0..len).any(|i| !self.consonant(i))
    }

    fn double_consonant(&self) -> bool {
        let n = self.b.len();
        n >= 2 && self.b[n - 1] == self.b[n - 2] && self.consonant(n - 1)
    }

    /// Consonant, vowel, consonant (not w, x, y) at the end of the first `len` letters.
    fn cvc(&self, len: usize) -> bool {
        len >= 3
            && self.consonant(len - 1)
            && !self.consonant(len - 2)
            && self.consonant(len - 3)
            && !matches!(self.b[len - 1], b'w' | b'x' | b'y')
    }

    /// Letters before the ending.
    #[inline]
    fn before(&self, ending: &[u8]) -> Option<usize> {
        let len = self.b.len().checked_sub(ending.len())?;
        // Most endings differ in their last two letters.
        let fits = self.b[self.b.len() - 1] == ending[ending.len() - 1] && self.b[len..] == *ending;
        fits.then_some(len)
    }

    fn set(&mut self, len: usize, ending: &[u8]) {
        self.b.truncate(len);
        self.b.extend_from_slice(ending);
    }

    fn step1ab(&mut self) {
        if self.b.last() == Some(&b's') {
            if let Some(len) = self.before(b"sses") {
                self.b.truncate(len + 2);
            } else if let Some(len) = self.before(b"ies") {
                self.set(len, b"i");
            } else if self.b[self.b.len() - 2] != b's' {
                self.b.pop();
            }
        }
        if let Some(len) = self.before(b"eed") {
            if self.measure(len) > 0 {
                self.b.pop();
            }
            return;
        }
        let Some(len) = self.before(b"ed").or_else(|| self.before(b"ing")).filter(|len| self.has_vowel(*len)) else {
            return;
        };
        self.b.truncate(len);
        if [b"at", b"bl", b"iz"].iter().any(|e| self.before(*e).is_some()) {
            self.b.push(b'e');
        } else if self.double_consonant() {
            if !matches!(self.b[self.b.len() - 1], b'l' | b's' | b'z') {
                self.b.pop();
            }
        } else if self.measure(self.b.len()) == 1 && self.cvc(self.b.len()) {
            self.b.push(b'e');
        }
    }

    fn step1c(&mut self) {
        if let Some(len) = self.before(b"y").filter(|len| self.has_vowel(*len)) {
            self.set(len, b"i");
        }
    }

    fn suffixes(&mut self, rules: &Rules) {
        for (ending, instead) in rules {
            if let Some(len) = self.before(ending) {
                if self.measure(len) > 0 {
                    self.set(len, instead);
                }
                return;
            }
        }
    }

    fn step4(&mut self) {
        let found = STEP4.iter().filter_map(|e| self.before(e)).min();
        let ion = self.before(b"ion").filter(|len| *len > 0 && matches!(self.b[len - 1], b's' | b't'));
        if let Some(len) = found.or(ion).filter(|len| self.measure(*len) > 1) {
            self.b.truncate(len);
        }
    }

    fn step5(&mut self) {
        if let Some(len) = self.before(b"e") {
            let measure = self.measure(len);
            if measure > 1 || (measure == 1 && !self.cvc(len)) {
                self.b.pop();
            }
        }
        let n = self.b.len();
        if n > 0 && self.b[n - 1] == b'l' && self.double_consonant() && self.measure(n) > 1 {
            self.b.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn porters_examples() {
        let mut porter = Porter::default();
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("ties", "ti"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("troubled", "troubl"),
            ("sized", "size"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("rational", "ration"),
            ("digitizer", "digit"),
            ("vietnamization", "vietnam"),
            ("possibly", "possibl"),
            ("analogi", "analog"),
            ("triplicate", "triplic"),
            ("hopefulness", "hope"),
            ("adjustment", "adjust"),
            ("replacement", "replac"),
            ("adoption", "adopt"),
            ("communism", "commun"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("cease", "ceas"),
            ("controll", "control"),
            ("roll", "roll"),
            ("generalizations", "gener"),
            ("oscillators", "oscil"),
            ("it", "it"),
        ] {
            let stem = porter.stem(word).map_or(word.to_owned(), |(kept, ending)| format!("{}{ending}", &word[..kept]));
            assert_eq!(stem, expected, "{word}");
        }
    }
}
