//! Worlds by a line of text: `a: hi | cut a b | b: yo | heal | settle`.
//!
//! | step | meaning |
//! |---|---|
//! | `a: text` | a says something |
//! | `c joins`, `c joins b` | c comes with a ticket (of b); who never joins was there from the start |
//! | `a2 is a` | a second home of the same person |
//! | `cut a b`, `cut a` | a and b, or a and all others, cannot reach each other |
//! | `heal`, `heal a b` | all, or these two, can again |
//! | `crash a` | a power cut, and a restart with what was durable |
//! | `clock a +3600` | a's clock is off by so many seconds from now on |
//! | `fail a 3` | the third call of a's store from now on fails |
//! | `pass 500` | so many milliseconds pass |
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
    let steps: Vec<&str> = script.split('|').map(str::trim).filter(|step| !step.is_empty()).collect();
    let mut world = World::new(seed, &founders(&steps));
    steps.into_iter().try_for_each(|step| world.step(step)).map(|()| world)
}

/// The names of a script that are there from the start, in the order in which they come up.
fn founders<'a>(steps: &[&'a str]) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut later = Vec::new();
    for step in steps {
        let words: Vec<&str> = step.split_whitespace().collect();
        let mentioned: &[&str] = match words.as_slice() {
            [name, "joins" | "is", ..] => {
                later.push(*name);
                &[]
            }
            ["cut" | "heal" | "crash", names @ ..] => names,
            ["clock" | "fail", name, ..] => std::slice::from_ref(name),
            _ => match step.split_once(':') {
                Some((name, _)) => {
                    names.push(name.trim());
                    &[]
                }
                None => &[],
            },
        };
        names.extend(mentioned);
    }
    let mut founders: Vec<&str> = Vec::new();
    for name in names {
        if !later.contains(&name) && !founders.contains(&name) {
            founders.push(name);
        }
    }
    founders
}

impl World {
    /// Does one step of a script.
    ///
    /// # Errors
    /// When it is none, or the world does not come to rest.
    pub fn step(&mut self, step: &str) -> Result<(), ScriptError> {
        let wrong = || ScriptError::Step(step.to_owned());
        let find = |world: &Self, name: &str| world.find(name.trim()).ok_or_else(wrong);
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            [name, "joins"] => {
                self.join(name, 0);
            }
            [name, "joins", inviter] => {
                let inviter = find(self, inviter)?;
                self.join(name, inviter);
            }
            [name, "is", other] => {
                let other = find(self, other)?;
                self.second_home(name, other);
            }
            ["cut", a, b] => {
                let (a, b) = (find(self, a)?, find(self, b)?);
                self.cut(a, b);
            }
            ["cut", a] => {
                let a = find(self, a)?;
                (0..self.replicas().len()).filter(|other| *other != a).for_each(|other| self.cut(a, other));
            }
            ["heal"] => self.heal(),
            ["heal", a, b] => {
                let (a, b) = (find(self, a)?, find(self, b)?);
                self.heal_between(a, b);
            }
            ["crash", a] => {
                let a = find(self, a)?;
                self.crash(a);
            }
            ["clock", a, seconds] => {
                let a = find(self, a)?;
                let seconds: i64 = seconds.parse().map_err(|_| wrong())?;
                self.replica_mut(a).skew_ms = seconds.saturating_mul(1000);
            }
            ["fail", a, calls] => {
                let a = find(self, a)?;
                let calls = calls.parse().map_err(|_| wrong())?;
                self.replica_mut(a).fail_store(calls);
            }
            ["pass", millis] => self.pass(millis.parse().map_err(|_| wrong())?),
            ["settle"] if self.settle() => {}
            ["settle"] => return Err(ScriptError::Unsettled(step.to_owned())),
            _ => {
                let (name, text) = step.split_once(':').ok_or_else(wrong)?;
                let name = find(self, name)?;
                self.command(name, Command::Say(text.trim().to_owned()));
            }
        }
        Ok(())
    }
}
