//! What people say.

/// Some 80 bytes of words, drawn by the number alone. They compress about as talk does: a block's to a little less than
/// half.
pub(crate) fn talk(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < 76 {
        state = next(state);
        // Ranks by Zipf's law, about: those from 2^n to 2^(n + 1) come as often together, whatever n.
        let magnitude = state >> 40 & 0xffff;
        let first = 1 << (magnitude % WORDS_LOG2);
        let rank = first + (state >> 20) % first;
        let mut letters = next(rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // The common ones are short.
        for _ in 0..2 + rank.ilog2() / 3 {
            text.push(char::from(LETTERS[usize::try_from(letters >> 32).unwrap() % LETTERS.len()]));
            letters = next(letters);
        }
        text.push(' ');
    }
    text
}

fn next(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

/// A person's vocabulary is some 8,000 words.
const WORDS_LOG2: u64 = 13;

/// As often as English has them, about.
const LETTERS: &[u8] = b"eeeeeetttttaaaaoooiiinnnsssrrrhhhddlluucmwfgypbvk";
