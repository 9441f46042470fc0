//! What was measured, and how it is printed.

use serde_json::{Value, json};

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    goal: Option<Goal>,
    floor: Option<(&'static str, f64)>,
    /// The same with automerge::sync.
    stock: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), unit, value, goal: None, floor: None, stock: None }
    }

    pub(crate) fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(Goal::AtMost(goal)), ..self }
    }

    pub(crate) fn at_least(self, goal: f64) -> Self {
        Self { goal: Some(Goal::AtLeast(goal)), ..self }
    }

    pub(crate) fn floor(self, what: &'static str, floor: f64) -> Self {
        Self { floor: Some((what, floor)), ..self }
    }

    pub(crate) fn stock(self, stock: f64) -> Self {
        Self { stock: Some(stock), ..self }
    }

    fn row(&self) -> String {
        let Self { name, unit, value, goal, floor, stock } = self;
        let value = *value;
        let shown = |number: Option<f64>| number.map_or(String::new(), short);
        let goal = goal.map_or(String::new(), |goal| match goal {
            Goal::AtMost(goal) => format!("{}≤ {}", if value > goal { "! " } else { "" }, short(goal)),
            Goal::AtLeast(goal) => format!("{}≥ {}", if value < goal { "! " } else { "" }, short(goal)),
        });
        let ratio = floor.map_or(String::new(), |(_, floor)| format!("{:.1}x", value / floor));
        let what = floor.map_or("", |(what, _)| what);
        let (stock, floor) = (shown(*stock), shown(floor.map(|(_, floor)| floor)));
        let value = short(value);
        format!("{name:<46} {value:>9} {unit:<5} {goal:>10} {stock:>10} {floor:>9} {ratio:>7}  {what}")
    }

    fn object(&self) -> Value {
        let Self { name, unit, value, goal, floor, stock } = self;
        let (at_most, at_least) = match goal {
            Some(Goal::AtMost(goal)) => (Some(goal), None),
            Some(Goal::AtLeast(goal)) => (None, Some(goal)),
            None => (None, None),
        };
        json!({
            "name": name, "unit": unit, "value": value, "at_most": at_most, "at_least": at_least,
            "floor": floor.map(|(_, floor)| floor), "automerge_sync": stock,
        })
    }
}

/// A table, then one line of JSON. `!` marks goals that were missed.
pub(crate) fn report(figures: &[Figure]) {
    let heads = ["scenario", "value", "unit", "goal", "automerge", "floor", "ratio"];
    let [name, value, unit, goal, stock, floor, ratio] = heads;
    println!(
        "{name:<46} {value:>9} {unit:<5} {goal:>10} {stock:>10} {floor:>9} {ratio:>7}  what the floor is"
    );
    figures.iter().for_each(|figure| println!("{}", figure.row()));
    println!("{}", Value::from(figures.iter().map(Figure::object).collect::<Vec<_>>()));
}

/// Three digits or so.
fn short(number: f64) -> String {
    match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}
