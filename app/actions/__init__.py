"""One function for each thing a user can do; joins the packages below; no Qt."""
