//! Worlds by a line of text: `a: hi | cut a b | b: yo | heal | settle`.
//!
//! | step | meaning |
//! |---|---|
//! | `a: text` | a says something |
//! | `a writes 20` | a says so many things at once, each another |
//! | `a writes 20 long` | the same, each as long as a message may be, and hard to compress |
//! | `nick a ann` | a is called ann from now on |
//! | `c joins`, `c joins b` | c comes with a ticket (of b); who never joins was there from the start |
//! | `a2 is a` | a second home of the same person |
//! | `a leaves`, `b admits a` | a's membership ends, and begins anew |
//! | `cut a b`, `cut a` | a and b, or a and all others, cannot reach each other |
//! | `heal`, `heal a b` | all, or these two, can again |
//! | `reset a b` | connections between these two end, and both notice |
//! | `hang a b` | connections between these two carry nothing any more, and nobody notices; new ones do |
//! | `mute a b` | the same, but only for what a sends to b |
//! | `dial a b` | a connects to b once more; `dial a a` to itself |
//! | `garble a b` | the next entries a sends to b arrive altered |
//! | `lose a b` | the next entries a sends to b never arrive, though the connection stands |
//! | `crash a` | a power cut, and a restart with what was durable |
//! | `stop a`, `start a` | a's program is killed; it runs again |
//! | `backup a`, `restore a` | a's store is copied; the last copy is put back and a starts from it |
//! | `clock a +3600` | a's clock is off by so many seconds from now on |
//! | `fail a 3` | the third call of a's store from now on fails |
//! | `pass 500` | so many milliseconds pass |
//! | `sleep 3600` | all machines sleep for so many seconds |
//! | `mend` | all faults end: cuts heal, clocks are set, who is off or has a broken store starts with what is durable |
//! | `settle` | time passes until nothing is under way, and all that can reach each other agree |

use crate::engine::Command;
use crate::sim::World;

/// Why a script does not run to its end.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptError {
    /// A step that is none.
    #[error("`{0}` is not a step")]
    Step(String),
    /// Replicas that can reach each other do not agree after all the time they were given.
    #[error("no agreement by the step `{0}`")]
    Unsettled(String),
}

/// Runs a script in a new world.
///
/// # Errors
/// When a step is none, or the world does not come to rest.
pub fn run(seed: u64, script: &str) -> Result<World, ScriptError> {
    let mut world = begin(seed, script);
    steps(script).try_for_each(|step| world.step(step)).map(|()| world)
}

/// The world of a script before its first step.
#[must_use]
pub fn begin(seed: u64, script: &str) -> World {
    World::new(seed, &founders(script))
}

/// The steps of a script.
pub fn steps(script: &str) -> impl Iterator<Item = &str> {
    script.split('|').map(str::trim).filter(|step| !step.is_empty())
}

/// The names of a script that are there from the start, in the order in which they come up.
fn founders(script: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut later = Vec::new();
    for step in steps(script) {
        if let Some((name, _)) = said(step) {
            names.push(name);
            continue;
        }
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            [name, "joins" | "is", others @ ..] => {
                later.push(*name);
                names.extend(others);
            }
            [one, "admits" | "promotes" | "removes", other] => names.extend([one, other]),
            [name, "writes" | "leaves", ..] => names.push(name),
            ["clock" | "fail" | "nick", name, ..] => names.push(name),
            ["pass" | "sleep" | "mend" | "settle", ..] => {}
            [_, others @ ..] => names.extend(others),
            [] => {}
        }
    }
    let mut founders: Vec<&str> = Vec::new();
    for name in names {
        if !later.contains(&name) && !founders.contains(&name) {
            founders.push(name);
        }
    }
    founders
}

/// Who says what, if a step is about that.
fn said(step: &str) -> Option<(&str, &str)> {
    let (name, text) = step.split_once(':')?;
    (!name.trim().contains(char::is_whitespace)).then_some((name.trim(), text.trim()))
}

impl World {
    /// Does one step of a script.
    ///
    /// # Errors
    /// When it is none, or the world does not come to rest.
    pub fn step(&mut self, step: &str) -> Result<(), ScriptError> {
        let wrong = || ScriptError::Step(step.to_owned());
        if let Some((name, text)) = said(step) {
            let name = self.find(name).ok_or_else(wrong)?;
            self.command(name, Command::Say(text.to_owned()));
            return Ok(());
        }
        let words: Vec<&str> = step.split_whitespace().collect();
        if words == ["settle"] {
            return if self.settle() { Ok(()) } else { Err(ScriptError::Unsettled(step.to_owned())) };
        }
        let done = self.social_step(&words).or_else(|| self.network_step(&words));
        done.or_else(|| self.fault_step(&words)).ok_or_else(wrong)
    }

    /// A step about people; none if it is not one.
    fn social_step(&mut self, words: &[&str]) -> Option<()> {
        match words {
            [name, "writes", count] => self.write(self.find(name)?, count.parse().ok()?, false),
            [name, "writes", count, "long"] => self.write(self.find(name)?, count.parse().ok()?, true),
            ["nick", name, nick] => self.command(self.find(name)?, Command::SetNick((*nick).to_owned())),
            [name, "joins"] => _ = self.join(name, 0),
            [name, "joins", inviter] => _ = self.join(name, self.find(inviter)?),
            [name, "is", other] => _ = self.second_home(name, self.find(other)?),
            [name, "leaves"] => self.command(self.find(name)?, Command::Leave),
            [one, "admits", other] => {
                let key = self.author(self.find(other)?);
                self.command(self.find(one)?, Command::Admit(key));
            }
            [one, "promotes", other] => {
                let key = self.author(self.find(other)?);
                self.command(self.find(one)?, Command::Promote(key));
            }
            [one, "removes", other] => {
                let key = self.author(self.find(other)?);
                self.command(self.find(one)?, Command::Remove(key));
            }
            _ => return None,
        }
        Some(())
    }

    /// A step about connections; none if it is not one.
    fn network_step(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["cut", a, b] => self.cut(self.find(a)?, self.find(b)?),
            ["cut", a] => {
                let a = self.find(a)?;
                (0..self.replicas().len()).filter(|other| *other != a).for_each(|other| self.cut(a, other));
            }
            ["heal"] => self.heal(),
            ["heal", a, b] => self.heal_between(self.find(a)?, self.find(b)?),
            ["reset", a, b] => self.reset(self.find(a)?, self.find(b)?),
            ["hang", a, b] => self.hang(self.find(a)?, self.find(b)?),
            ["mute", a, b] => self.mute(self.find(a)?, self.find(b)?),
            ["dial", a, b] => self.connect(self.find(a)?, self.find(b)?),
            ["lose", a, b] => self.lose(self.find(a)?, self.find(b)?),
            ["garble", a, b] => self.garble(self.find(a)?, self.find(b)?),
            _ => return None,
        }
        Some(())
    }

    /// A step about machines and time; none if it is not one.
    fn fault_step(&mut self, words: &[&str]) -> Option<()> {
        match words {
            ["crash", a] => self.crash(self.find(a)?),
            ["stop", a] => self.stop(self.find(a)?),
            ["start", a] => self.start(self.find(a)?),
            ["backup", a] => self.back_up(self.find(a)?),
            ["restore", a] => self.restore(self.find(a)?),
            ["clock", a, seconds] => {
                let seconds: i64 = seconds.parse().ok()?;
                let index = self.find(a)?;
                self.replica_mut(index).skew_ms = seconds.saturating_mul(1000);
            }
            ["fail", a, calls] => {
                let index = self.find(a)?;
                self.replica_mut(index).fail_store(calls.parse().ok()?);
            }
            ["pass", millis] => self.pass(millis.parse().ok()?),
            ["sleep", seconds] => self.sleep(seconds.parse::<u64>().ok()?.saturating_mul(1000)),
            ["mend"] => self.mend(),
            _ => return None,
        }
        Some(())
    }
}
