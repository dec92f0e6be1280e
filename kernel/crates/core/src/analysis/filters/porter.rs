//! Porter's stemmer as Lucene has it: the algorithm of 1980 with the later departures (`bli`, `logi`).

/// The stem if it differs from the word.
pub fn stem(word: &str) -> Option<String> {
    // Everything but lower-case letters of English counts as a consonant.
    let mut w = Word { b: word.chars().collect() };
    if w.b.len() <= 2 {
        return None;
    }
    w.step1ab();
    w.step1c();
    w.suffixes(&STEP2, 0);
    w.suffixes(&STEP3, 0);
    w.step4();
    w.step5();
    let stem: String = w.b.iter().collect();
    (stem != word).then_some(stem)
}

struct Word {
    b: Vec<char>,
}

/// (ending, what stands instead); the first ending that fits decides.
type Rules = [(&'static str, &'static str)];

const STEP2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const STEP3: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

const STEP4: [&str; 18] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou", "ism", "ate", "iti", "ous",
    "ive", "ize",
];

impl Word {
    fn consonant(&self, i: usize) -> bool {
        match self.b[i] {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => i == 0 || !self.consonant(i - 1),
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
            && !matches!(self.b[len - 1], 'w' | 'x' | 'y')
    }

    /// Letters before the ending.
    fn before(&self, ending: &str) -> Option<usize> {
        let len = self.b.len().checked_sub(ending.len())?;
        self.b[len..].iter().copied().eq(ending.chars()).then_some(len)
    }

    fn set(&mut self, len: usize, ending: &str) {
        self.b.truncate(len);
        self.b.extend(ending.chars());
    }

    fn step1ab(&mut self) {
        if self.b.last() == Some(&'s') {
            if let Some(len) = self.before("sses") {
                self.b.truncate(len + 2);
            } else if let Some(len) = self.before("ies") {
                self.set(len, "i");
            } else if self.b[self.b.len() - 2] != 's' {
                self.b.pop();
            }
        }
        if let Some(len) = self.before("eed") {
            if self.measure(len) > 0 {
                self.b.pop();
            }
            return;
        }
        let Some(len) = self.before("ed").or_else(|| self.before("ing")).filter(|len| self.has_vowel(*len)) else {
            return;
        };
        self.b.truncate(len);
        if ["at", "bl", "iz"].iter().any(|e| self.before(e).is_some()) {
            self.b.push('e');
        } else if self.double_consonant() {
            if !matches!(self.b[self.b.len() - 1], 'l' | 's' | 'z') {
                self.b.pop();
            }
        } else if self.measure(self.b.len()) == 1 && self.cvc(self.b.len()) {
            self.b.push('e');
        }
    }

    fn step1c(&mut self) {
        if let Some(len) = self.before("y").filter(|len| self.has_vowel(*len)) {
            self.set(len, "i");
        }
    }

    fn suffixes(&mut self, rules: &Rules, least: usize) {
        for (ending, instead) in rules {
            if let Some(len) = self.before(ending) {
                if self.measure(len) > least {
                    self.set(len, instead);
                }
                return;
            }
        }
    }

    fn step4(&mut self) {
        let found = STEP4.iter().filter_map(|e| self.before(e)).min();
        let ion = self.before("ion").filter(|len| *len > 0 && matches!(self.b[len - 1], 's' | 't'));
        if let Some(len) = found.or(ion).filter(|len| self.measure(*len) > 1) {
            self.b.truncate(len);
        }
    }

    fn step5(&mut self) {
        if let Some(len) = self.before("e") {
            let measure = self.measure(len);
            if measure > 1 || (measure == 1 && !self.cvc(len)) {
                self.b.pop();
            }
        }
        let n = self.b.len();
        if n > 0 && self.b[n - 1] == 'l' && self.double_consonant() && self.measure(n) > 1 {
            self.b.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn porters_examples() {
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
            assert_eq!(stem(word).as_deref().unwrap_or(word), expected, "{word}");
        }
    }
}
