import { Pressable, StyleSheet, Text } from 'react-native';

import { RADIUS, SPACE, usePalette } from './theme';

interface Props {
  label: string;
  /** What a screen reader says, when the label alone does not tell which of many it is. */
  spokenLabel?: string;
  onPress: () => void;
  disabled?: boolean;
  /** A quiet button is for what is done less often than the main thing of the screen. */
  quiet?: boolean;
  testID?: string;
}

export function Button({
  label,
  spokenLabel = label,
  onPress,
  disabled = false,
  quiet = false,
  testID,
}: Props) {
  const palette = usePalette();
  return (
    <Pressable
      accessibilityLabel={spokenLabel}
      accessibilityRole="button"
      accessibilityState={{ disabled }}
      disabled={disabled}
      onPress={onPress}
      style={({ pressed }) => [
        styles.button,
        { backgroundColor: quiet ? 'transparent' : palette.accent, opacity: disabled || pressed ? 0.6 : 1 },
      ]}
      testID={testID}
    >
      <Text style={[styles.label, { color: quiet ? palette.accent : palette.onAccent }]}>{label}</Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  button: {
    alignItems: 'center',
    borderRadius: RADIUS,
    justifyContent: 'center',
    minHeight: 44,
    paddingHorizontal: SPACE.medium,
  },
  label: { fontSize: 16, fontWeight: '600' },
});
