//! Bytes as scripts: whatever a fuzzer comes up with is a story of two to five people and what befalls them.

use arbitrary::{Arbitrary, Result, Unstructured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

#[cfg(test)]
mod tests;

/// A seed and a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Of the world's randomness.
    pub seed: u64,
    /// In the simulator's language.
    pub script: String,
}

/// Bytes a scenario is made of. Where there are fewer, the rest follows from the first ones, so that short inputs tell
/// long stories too.
const SCENARIO_BYTES: usize = 512;

/// Longest story.
const STEPS_MAX: usize = 40;

/// Most people who come later, with a ticket or as a second home.
const LATER_MAX: usize = 4;

/// Most messages that are written in one go in a whole story: it takes time to check them.
const WRITTEN_MAX: usize = 160;

/// The same for long ones: more than what one connection carries unconfirmed.
const WRITTEN_LONG_MAX: usize = 80;

impl Scenario {
    /// The scenario of some bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut seed = [0; 32];
        seed.iter_mut().zip(bytes.iter().take(4)).for_each(|(seed, byte)| *seed = *byte);
        let mut all = vec![0; SCENARIO_BYTES];
        ChaCha8Rng::from_seed(seed).fill_bytes(&mut all);
        all.iter_mut().zip(bytes).for_each(|(all, byte)| *all = *byte);
        let seed = u64::from(u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]]));
        let mut story = Story::default();
        // Bytes that end early end the story early.
        story.tell(&mut Unstructured::new(&all[4..])).ok();
        Self { seed, script: story.steps.join(" | ") }
    }
}

/// A script as it grows.
#[derive(Default)]
struct Story {
    steps: Vec<String>,
    people: Vec<String>,
    later: usize,
    /// Someone with two homes.
    doubled: Option<String>,
    said: usize,
    written: usize,
    written_long: usize,
}

impl Story {
    fn tell(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let founders = bytes.int_in_range(2..=5)?;
        self.people =
            ["a", "b", "c", "d", "e"].iter().take(founders).map(|name| (*name).to_owned()).collect();
        // Everyone is there from the start, also who does nothing.
        self.steps = self.people.iter().map(|name| format!("start {name}")).collect();
        if bytes.ratio(3, 4)? {
            self.steps.push("pass 300".to_owned());
        }
        let steps = bytes.int_in_range(1..=STEPS_MAX)?;
        for _ in 0..steps {
            let act = Act::arbitrary(bytes)?;
            if let Some(step) = self.step(act, bytes)? {
                self.steps.push(step);
            }
        }
        Ok(())
    }

    /// One step; none if it would be too much of something.
    fn step(&mut self, act: Act, bytes: &mut Unstructured<'_>) -> Result<Option<String>> {
        let a = bytes.choose(&self.people)?.clone();
        let b = bytes.choose(&self.people)?.clone();
        Ok(Some(match act {
            Act::Say => {
                self.said += 1;
                format!("{a}: {}{}", bytes.choose(&['x', 'y', 'z'])?, self.said)
            }
            Act::Write => {
                let count = *bytes.choose(&[3, 8, 20, 80])?;
                self.written += count;
                if self.written > WRITTEN_MAX {
                    return Ok(None);
                }
                format!("{a} writes {count}")
            }
            Act::WriteLong => {
                let count = *bytes.choose(&[1, 5, 40])?;
                self.written_long += count;
                if self.written_long > WRITTEN_LONG_MAX {
                    return Ok(None);
                }
                format!("{a} writes {count} long")
            }
            Act::Pass => {
                format!(
                    "pass {}",
                    bytes.choose(&[1, 2, 3, 5, 10, 20, 40, 80, 200, 1_000, 5_000, 20_000, 60_000])?
                )
            }
            Act::Sleep => format!("sleep {}", bytes.choose(&[10, 600, 90_000, 604_800, 9_000_000])?),
            Act::Join | Act::SecondHome if self.later == LATER_MAX => return Ok(None),
            Act::Join => {
                self.later += 1;
                let name = format!("n{}", self.later);
                self.people.push(name.clone());
                format!("{name} joins {a}")
            }
            Act::SecondHome => {
                self.later += 1;
                let name = format!("{a}{}", self.later);
                self.people.push(name.clone());
                self.doubled = Some(a.clone());
                format!("{name} is {a}")
            }
            Act::Clock => {
                let seconds =
                    bytes.choose(&[0, 2, -2, 300, -300, 90_000, -259_200, 31_536_000, -1_795_357_000])?;
                format!("clock {a} {seconds}")
            }
            Act::Fail => format!("fail {a} {}", bytes.int_in_range(1..=6)?),
            Act::Heal => "heal".to_owned(),
            Act::CutOff => format!("cut {a}"),
            Act::Nick => format!("nick {a} {}", bytes.choose(&["p", "q"])?),
            // Preferably someone who has a second home, which may not hear of it in time.
            Act::Leave => format!(
                "{} leaves",
                self.doubled.as_ref().filter(|_| self.said.is_multiple_of(2)).unwrap_or(&a)
            ),
            Act::Admit => format!("{b} admits {a}"),
            Act::Promote => format!("{b} promotes {a}"),
            Act::Remove => format!("{b} removes {a}"),
            Act::Pair(verb) => {
                if a == b && verb != "dial" {
                    return Ok(None);
                }
                format!("{verb} {a} {b}")
            }
            Act::One(verb) => format!("{verb} {a}"),
        }))
    }
}

/// What can happen.
#[derive(Clone, Copy)]
enum Act {
    Say,
    Write,
    WriteLong,
    Pass,
    Sleep,
    Join,
    SecondHome,
    Clock,
    Fail,
    Heal,
    CutOff,
    Nick,
    Leave,
    Admit,
    Promote,
    Remove,
    /// A verb about two.
    Pair(&'static str),
    /// A verb about one.
    One(&'static str),
}

/// What can happen, with how often it does.
const ACTS: [(usize, Act); 29] = [
    (26, Act::Say),
    (6, Act::Write),
    (1, Act::WriteLong),
    (24, Act::Pass),
    (2, Act::Sleep),
    (4, Act::Join),
    (4, Act::SecondHome),
    (4, Act::Clock),
    (3, Act::Fail),
    (4, Act::Heal),
    (3, Act::CutOff),
    (1, Act::Nick),
    (3, Act::Leave),
    (2, Act::Admit),
    (3, Act::Promote),
    (3, Act::Remove),
    (6, Act::Pair("cut")),
    (3, Act::Pair("heal")),
    (2, Act::Pair("reset")),
    (2, Act::Pair("hang")),
    (2, Act::Pair("mute")),
    (2, Act::Pair("dial")),
    (4, Act::Pair("garble")),
    (2, Act::Pair("lose")),
    (6, Act::One("crash")),
    (2, Act::One("stop")),
    (2, Act::One("start")),
    (2, Act::One("backup")),
    (3, Act::One("restore")),
];

impl<'a> Arbitrary<'a> for Act {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let all: Vec<Self> = ACTS.iter().flat_map(|(often, act)| vec![*act; *often]).collect();
        bytes.choose(&all).copied()
    }
}
