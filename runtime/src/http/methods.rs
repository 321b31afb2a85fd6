//! The methods that a path answers.

/// Returns the value of `Allow` for a path with routes for these methods. A path that answers GET
/// also answers HEAD, and each path with a route answers OPTIONS.
pub(crate) fn allow(methods: &[&'static str]) -> String {
    let mut allowed: Vec<&'static str> = Vec::new();
    let mut add = |method| {
        if !allowed.contains(&method) {
            allowed.push(method);
        }
    };
    for method in methods {
        add(method);
        if *method == "GET" {
            add("HEAD");
        }
    }
    add("OPTIONS");
    allowed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::allow;

    #[test]
    fn head_follows_get_and_options_is_always_allowed() {
        assert_eq!(allow(&["POST"]), "POST, OPTIONS");
        assert_eq!(allow(&["GET", "POST", "GET"]), "GET, HEAD, POST, OPTIONS");
        assert_eq!(allow(&["OPTIONS", "HEAD", "GET"]), "OPTIONS, HEAD, GET");
    }
}
