//! Counting exact phrase matches by intersecting positions.

/// Positions of one term in a document and its place in the phrase.
pub struct Occurrences {
    pub offset: u32,
    pub positions: Vec<u32>,
}

/// Number of places where every term stands at its offset.
pub fn count(terms: &[Occurrences]) -> u32 {
    match terms {
        [one, two] if one.offset < two.offset => count_pairs(one, two),
        [one, two] if two.offset < one.offset => count_pairs(two, one),
        terms => count_all(terms),
    }
}

/// Where several terms stand at the first position Lucene counts each, and elsewhere only one.
fn count_pairs(first: &Occurrences, second: &Occurrences) -> u32 {
    let gap = second.offset - first.offset;
    let (mut at, mut found) = (0, 0);
    for start in &first.positions {
        let wanted = start + gap;
        while second.positions.get(at).is_some_and(|position| *position < wanted) {
            at += 1;
        }
        match second.positions.get(at) {
            None => break,
            // A place before the beginning of the text is none.
            Some(position) => found += u32::from(*position == wanted && *start >= first.offset),
        }
    }
    found
}

fn count_all(terms: &[Occurrences]) -> u32 {
    let Some((front, first)) = terms.iter().enumerate().min_by_key(|(_, term)| term.offset) else { return 0 };
    // Where several terms stand at the first position Lucene counts each, and elsewhere only one.
    let several = first.positions.windows(2).any(|pair| pair[0] == pair[1]);
    let by_length = terms.iter().enumerate().min_by_key(|(_, term)| term.positions.len()).map_or(0, |(at, _)| at);
    let rarest = if several { front } else { by_length };
    let lead = &terms[rarest];
    let mut last = None;
    let mut cursors: smallvec::SmallVec<[usize; 8]> = smallvec::smallvec![0; terms.len()];
    let mut found = 0;
    'lead: for position in &lead.positions {
        if !several && last.replace(*position) == Some(*position) {
            continue;
        }
        let Some(start) = position.checked_sub(lead.offset) else { continue };
        for (at, term) in terms.iter().enumerate() {
            if at == rarest {
                continue;
            }
            let wanted = start + term.offset;
            let cursor = &mut cursors[at];
            while *cursor < term.positions.len() && term.positions[*cursor] < wanted {
                *cursor += 1;
            }
            match term.positions.get(*cursor) {
                None => return found,
                Some(position) if *position != wanted => continue 'lead,
                Some(_) => {}
            }
        }
        found += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_aligned_positions() {
        let terms = vec![
            Occurrences { offset: 0, positions: vec![0, 4, 9] },
            Occurrences { offset: 1, positions: vec![1, 6, 10] },
        ];
        assert_eq!(count(&terms), 2);
        assert_eq!(count(&[]), 0);
        let several = vec![
            Occurrences { offset: 0, positions: vec![0, 0, 9] },
            Occurrences { offset: 1, positions: vec![1, 1, 10] },
        ];
        assert_eq!(count(&several), 3);
    }

    proptest! {
        #[test]
        fn pairs_are_counted_as_any(
            mut one in prop::collection::vec(0u32..20, 0..12),
            mut two in prop::collection::vec(0u32..20, 0..12),
            offsets in (0u32..4, 0u32..4),
        ) {
            one.sort_unstable();
            two.sort_unstable();
            let terms = [
                Occurrences { offset: offsets.0, positions: one },
                Occurrences { offset: offsets.1, positions: two },
            ];
            prop_assert_eq!(count(&terms), count_all(&terms));
        }
    }
}
