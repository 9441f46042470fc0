//! The program `replica`.

fn main() {}
