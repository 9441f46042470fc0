use super::*;

#[test]
fn a_newcomer_reads_what_to_do_next() {
    let words = welcome("ann (amber-tiger)", "home", "/h".as_ref(), &["192.0.2.7:7400".to_owned()]);
    for part in
        ["ann (amber-tiger)", "/h", "Nobody is connected yet", "/invite", "replica --peer 192.0.2.7:7400"]
    {
        assert!(words.contains(part), "{part}");
    }
    assert!(!welcome("", "", "".as_ref(), &[]).contains("--peer"));
}

#[test]
fn others_are_told_an_address_that_leads_here() {
    let ips: Vec<IpAddr> =
        ["127.0.0.1", "fe80::1", "2001:db8::1", "192.168.1.5"].iter().map(|ip| ip.parse().unwrap()).collect();
    let told = |listening: &str| {
        let dialable = dialable(listening.parse().unwrap(), &ips);
        dialable.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told("[::]:7400"), ["192.168.1.5:7400", "[2001:db8::1]:7400", "127.0.0.1:7400"]);
    assert_eq!(told("0.0.0.0:1"), ["192.168.1.5:1", "127.0.0.1:1"]);
    assert_eq!(told("127.0.0.1:5"), ["127.0.0.1:5"]);
}
