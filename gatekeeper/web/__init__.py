"""HTTP only: parse, call one service, present. Three dialects over one middle: pages, hub, api."""
