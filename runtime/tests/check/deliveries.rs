//! Requests beside what was found of them.

use anchorhold::check::Deliveries;

/// One request: how often it was asked, acknowledged and refused.
fn violations(
    deliveries: Deliveries<u32>,
    [asked, acknowledged, refused]: [usize; 3],
    found: usize,
) -> Vec<String> {
    (0..asked).for_each(|_| deliveries.asked(1));
    (0..acknowledged).for_each(|_| deliveries.acknowledged(1));
    (0..refused).for_each(|_| deliveries.refused(1));
    let checked = deliveries.check(std::iter::repeat_n(1, found));
    checked.map_or_else(|error| error.violations().to_vec(), |()| Vec::new())
}

#[test]
fn acknowledged_request_is_found_once_or_more_often_as_was_promised() {
    let exactly = |found| violations(Deliveries::exactly_once(), [3, 1, 0], found);
    let at_least = |found| violations(Deliveries::at_least_once(), [3, 1, 0], found);
    let lost = ["1 was acknowledged once, found 0 times"];
    assert_eq!(exactly(0), lost);
    assert_eq!(at_least(0), lost);
    assert!(exactly(1).is_empty() && at_least(1).is_empty() && at_least(2).is_empty());
    assert_eq!(
        exactly(2),
        ["1 was found 2 times, must be at most once (asked 3 times, acknowledged once)"]
    );
}

#[test]
fn unacknowledged_request_may_be_found_or_not() {
    let exactly = |found| violations(Deliveries::exactly_once(), [2, 0, 1], found);
    assert!(exactly(0).is_empty() && exactly(1).is_empty());
    assert_eq!(exactly(2).len(), 1);
    assert!(violations(Deliveries::at_least_once(), [2, 0, 0], 5).is_empty());
}

#[test]
fn request_that_was_refused_or_never_asked_is_not_found() {
    for deliveries in [Deliveries::exactly_once(), Deliveries::at_least_once()] {
        assert_eq!(
            violations(deliveries.clone(), [1, 0, 1], 1),
            ["1 was found once, though it was refused each time it was asked"]
        );
        let error = deliveries.check([2]).unwrap_err();
        assert_eq!(error.to_string(), "2 was found once, never asked");
    }
}

#[test]
fn total_lies_between_the_acknowledged_and_the_asked() {
    let deliveries = Deliveries::exactly_once();
    for request in 0..3 {
        deliveries.asked(request);
    }
    deliveries.acknowledged(0);
    deliveries.refused(1);
    let message = |found| deliveries.check_total(found).unwrap_err().to_string();
    assert_eq!(message(0), "1 requests were acknowledged, the total is 0");
    assert!(deliveries.check_total(1).is_ok() && deliveries.check_total(2).is_ok());
    assert_eq!(
        message(3),
        "2 requests may have taken effect, the total is 3"
    );
}

#[test]
fn long_list_of_violations_is_cut() {
    let error = Deliveries::at_least_once().check(0..12).unwrap_err();
    assert_eq!(error.violations().len(), 12);
    let text = error.to_string();
    assert!(
        text.ends_with("9 was found once, never asked\n… and 2 more"),
        "{text}"
    );
}
