use super::Detours;
use crate::discovery::Route;
use crate::rendezvous::Slot;

fn route(number: u8) -> Route {
    Route { server: "192.0.2.1:7401".to_owned(), slot: Slot([number; 16]) }
}

fn addresses(all: &[&str]) -> Vec<String> {
    all.iter().map(|&address| address.to_owned()).collect()
}

#[test]
fn a_route_is_taken_when_the_last_address_has_failed_and_not_before() {
    let mut detours = Detours::default();
    assert_eq!(detours.add(addresses(&["a:1", "b:2"]), &route(1)), None);
    assert_eq!(detours.failed("a:1"), None);
    assert_eq!(detours.failed("a:1"), None);
    let detour = detours.failed("b:2").unwrap();
    assert_eq!(Route::of_address(&detour), Some(("192.0.2.1:7401", Slot([1; 16]))));
    assert_eq!(detours.failed("b:2"), None);
}

#[test]
fn who_has_no_address_is_reached_by_the_route_at_once() {
    let mut detours = Detours::default();
    assert!(detours.add(Vec::new(), &route(1)).is_some());
}

#[test]
fn no_route_is_taken_to_who_is_reached() {
    let mut detours = Detours::default();
    detours.add(addresses(&["a:1", "b:2"]), &route(1));
    detours.worked("b:2");
    assert_eq!(detours.failed("a:1"), None);
    assert_eq!(detours.failed("b:2"), None);
}

#[test]
fn other_addresses_are_no_routes() {
    for address in ["192.0.2.1:7400", "via/host:1", "via/host:1/00", "via/host:1/zz", "a-host:7400"] {
        assert_eq!(Route::of_address(address), None, "{address}");
    }
}
