//! Exported documents, as any Automerge program sees them.

use automerge::{AutoCommit, ReadDoc as _};

use crate::program::{Home, free_address};

fn export(home: &Home) -> AutoCommit {
    let file = home.path().join("exported.automerge");
    home.ok(&["export", file.to_str().unwrap()]);
    AutoCommit::load(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn an_export_opens_with_stock_automerge_and_its_keys_give_the_log() {
    let (ann, bob) = (Home::new("ann"), Home::new("bob"));
    let ticket = ann.invite();
    let at = free_address();
    let mut in_ann = ann.chat(&at, &[]);
    let mut in_bob = bob.chat("127.0.0.1:0", &["--peer", &ticket, "--peer", &at]);
    for number in 0..20 {
        in_ann.say(&format!("a{number}"));
        in_bob.say(&format!("b{number}"));
    }
    in_ann.reads("b19");
    in_bob.reads("a19");
    assert_eq!(in_bob.finish(), Some(0));
    assert_eq!(in_ann.finish(), Some(0));
    assert_eq!(ann.digest(), bob.digest());

    let (mut mine, mut theirs) = (export(&ann), export(&bob));
    let keys: Vec<String> = mine.keys(automerge::ROOT).collect();
    assert!(keys.is_sorted());
    let text = |key: &String| mine.get(automerge::ROOT, key).unwrap().unwrap().0.into_string().unwrap();
    let mut rows: Vec<String> = keys.iter().map(text).collect();
    rows.reverse();
    let said: Vec<String> = ann.texts();
    let rows: Vec<String> = rows.into_iter().filter(|row| said.contains(row)).collect();
    assert_eq!(rows, said);

    let before = mine.get_heads();
    assert_eq!(before, theirs.get_heads());
    mine.merge(&mut theirs).unwrap();
    assert_eq!(mine.get_heads(), before, "merging two agreed replicas added something");
}
