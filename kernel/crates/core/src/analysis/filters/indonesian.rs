//! Tala's stemmer of Indonesian: particles, possessives, prefixes of two orders and suffixes, as long as the word has three syllables.

const KE: u8 = 1;
const PENG: u8 = 2;
const DI: u8 = 4;
const MENG: u8 = 8;
const TER: u8 = 16;
const BER: u8 = 32;
const PE: u8 = 64;

struct Word<'w> {
    letters: &'w mut Vec<char>,
    syllables: usize,
    removed: u8,
}

fn vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')
}

pub fn indonesian(letters: &mut Vec<char>) {
    let syllables = letters.iter().filter(|c| vowel(**c)).count();
    let mut word = Word { letters, syllables, removed: 0 };
    word.ending(&["kah", "lah", "pun"]);
    word.ending(&["ku", "mu", "nya"]);
    if word.first_prefix() {
        if word.suffix() {
            word.second_prefix();
        }
    } else {
        word.second_prefix();
        word.suffix();
    }
}

impl Word<'_> {
    fn long(&self) -> bool {
        self.syllables > 2
    }

    fn ends(&self, ending: &str) -> bool {
        let count = ending.len();
        self.letters.len() >= count && self.letters[self.letters.len() - count..].iter().copied().eq(ending.chars())
    }

    fn starts(&self, prefix: &str) -> bool {
        self.letters.len() >= prefix.len() && self.letters.iter().copied().take(prefix.len()).eq(prefix.chars())
    }

    fn vowel_at(&self, at: usize) -> bool {
        self.letters.get(at).is_some_and(|c| vowel(*c))
    }

    fn ending(&mut self, endings: &[&str]) -> bool {
        let found = if self.long() { endings.iter().find(|ending| self.ends(ending)) } else { None };
        if let Some(ending) = found {
            self.letters.truncate(self.letters.len() - ending.len());
            self.syllables -= 1;
        }
        found.is_some()
    }

    fn behead(&mut self, count: usize, removed: u8) -> bool {
        self.letters.drain(..count);
        self.syllables -= 1;
        self.removed |= removed;
        true
    }

    fn first_prefix(&mut self) -> bool {
        if !self.long() {
            return false;
        }
        // Prefix, letters taken off, letter put first, kind.
        const PREFIXES: [(&str, usize, Option<char>, u8); 14] = [
            ("meng", 4, None, MENG),
            ("meny", 3, Some('s'), MENG),
            ("men", 3, None, MENG),
            ("mem", 3, None, MENG),
            ("me", 2, None, MENG),
            ("peng", 4, None, PENG),
            ("peny", 3, Some('s'), PENG),
            ("peny", 4, None, PENG),
            ("pen", 2, Some('t'), PENG),
            ("pen", 3, None, PENG),
            ("pem", 3, None, PENG),
            ("di", 2, None, DI),
            ("ter", 3, None, TER),
            ("ke", 2, None, KE),
        ];
        for (prefix, count, first, kind) in PREFIXES {
            // A letter is put first only before a vowel.
            if self.starts(prefix) && (first.is_none() || self.vowel_at(prefix.len())) {
                if let Some(first) = first {
                    self.letters[count] = first;
                }
                return self.behead(count, kind);
            }
        }
        false
    }

    fn second_prefix(&mut self) -> bool {
        if !self.long() {
            return false;
        }
        let letters = &self.letters;
        let whole = |word: &str| letters.len() == word.len() && self.starts(word);
        let with_er = letters.len() > 4 && !vowel(letters[2]) && letters[3] == 'e' && letters[4] == 'r';
        if self.starts("ber") || whole("belajar") {
            self.behead(3, BER)
        } else if self.starts("be") && with_er {
            self.behead(2, BER)
        } else if self.starts("per") || whole("pelajar") {
            self.behead(3, 0)
        } else if self.starts("pe") {
            self.behead(2, PE)
        } else {
            false
        }
    }

    fn suffix(&mut self) -> bool {
        let without = |kinds: u8| self.removed & kinds == 0;
        if self.ends("kan") && without(KE | PENG | PE) {
            self.ending(&["kan"])
        } else if self.ends("an") && without(DI | MENG | TER) {
            self.ending(&["an"])
        } else if self.ends("i") && !self.ends("si") && without(BER | KE | PENG) {
            self.ending(&["i"])
        } else {
            false
        }
    }
}
