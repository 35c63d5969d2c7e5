"""JavaScript and TypeScript: finds a Node.js, and runs jobs of these languages by it."""
