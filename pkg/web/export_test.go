package web

import "libra/pkg/web/admission"

// Stores and Reads are the limits of what is worked on at a time.
func (s *Server) Stores() *admission.Limiter { return s.state.Stores }

// Reads: see Stores.
func (s *Server) Reads() *admission.Limiter { return s.state.Reads }
