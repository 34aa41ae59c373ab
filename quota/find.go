package quota

// findRate is the rate of that name, nil if there is none. Plans are small: a search from the
// front is quicker than a map.
func findRate(p *Plan, name string) *Rate {
	for i := range p.Rates {
		if p.Rates[i].Name == name {
			return &p.Rates[i]
		}
	}
	return nil
}

func findSlots(p *Plan, name string) *Concurrency {
	for i := range p.Concurrency {
		if p.Concurrency[i].Name == name {
			return &p.Concurrency[i]
		}
	}
	return nil
}

func findUnits(p *Plan, name string) *Units {
	for i := range p.Units {
		if p.Units[i].Name == name {
			return &p.Units[i]
		}
	}
	return nil
}
