"""Grafana: the dashboards as code, and the way into a Grafana that is there."""
