use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl Sets {
    fn of(&mut self, elements: impl IntoIterator<Item = usize>) -> SetId {
        elements.into_iter().fold(EMPTY, |set, element| self.with(set, element))
    }
}

/// Small numbers, and those beside the edges of trees of other heights.
fn element() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..40_usize,
        (0..3_u32, 0..4_usize).prop_map(|(height, near)| elements(height) + near - 2),
        0..200_000_usize
    ]
}

proptest! {
    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else(all in vec(element(), 0..60), asked in vec(element(), 0..60)) {
        let mut sets = Sets::default();
        let set = sets.of(all.iter().copied());
        let all: BTreeSet<usize> = all.into_iter().collect();
        for element in asked.iter().chain(&all) {
            prop_assert_eq!(sets.contains(set, *element), all.contains(element));
        }
    }

    #[test]
    fn equal_sets_are_one_however_they_were_made(a in vec(element(), 0..40), b in vec(element(), 0..40)) {
        let mut sets = Sets::default();
        let (one, other) = (sets.of(a.iter().copied()), sets.of(b.iter().copied()));
        let union = sets.union([one, other]);
        let all: BTreeSet<usize> = a.iter().chain(&b).copied().collect();
        prop_assert_eq!(union, sets.of(all.iter().copied()));
        prop_assert_eq!(union, sets.of(all.iter().rev().copied()));
        prop_assert_eq!(union, sets.union([other, one, EMPTY, one]));
        prop_assert_eq!(union, sets.union([union, one]));
        prop_assert_eq!(one == other, a.iter().collect::<BTreeSet<_>>() == b.iter().collect());
    }
}

#[test]
fn a_union_of_many_leaves_nothing_of_the_way_to_it() {
    let mut sets = Sets::default();
    let parts: Vec<SetId> = (0..64).map(|part| sets.of((0..100).map(|number| number * 64 + part))).collect();
    let before = sets.leaves.values.len();
    let all = sets.union(parts.iter().copied());
    assert!(sets.leaves.values.len() - before <= 6_400 / LEAF + 1);
    assert_eq!(all, sets.of(0..6_400));
}

#[test]
fn one_element_more_costs_one_path() {
    let mut sets = Sets::default();
    let mut set = EMPTY;
    for number in 0..20_011 {
        set = sets.with(set, number * 7_919 % 20_011);
    }
    assert_eq!(set, sets.of(0..20_011));
    let of_them = |nodes: usize| nodes / 20_011;
    assert!(of_them(sets.leaves.values.len()) <= 1, "{}", sets.leaves.values.len());
    assert!(of_them(sets.branches.values.len()) <= 3, "{}", sets.branches.values.len());
}
